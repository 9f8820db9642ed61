"""An orders service: it takes orders over HTTP, and the catalog confirms or rejects them through events.

    api          (1) an order comes in
    orders       (2) it is placed: the order and its event are written in one transaction
    events       (3) outbox  (4) relay  (5) Kafka  (6) consumer
    catalog      (7) stock is reserved or refused, and the answer takes the same way back
    orders       (8) the order is confirmed or rejected
    workers      one file per process, for the steps 3 to 8

Read the packages in this order, each file from its top. `docs/architecture.md` has a picture.
"""

__version__ = "0.1.0"
