"""Orders are taken over HTTP, recorded with their events, and settled by the catalog.

    api          (1) an order comes in
    orders       (2) it is placed: one transaction with its event
    events       (3) outbox  (4) relay  (5) Kafka  (6) consumer
    catalog      (7) stock is reserved or refused, and the answer takes the same way back
    orders       (8) the order is confirmed or rejected
    workers      one file = one process that turns the steps 3 to 8

Read in this order, each file from its top; `docs/architecture.md` is the picture.
"""

__version__ = "0.1.0"
