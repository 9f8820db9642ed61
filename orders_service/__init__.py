"""An orders service: it takes orders over HTTP, and the catalog confirms or rejects them through events.

    api/orders.py            (1) an order comes in; api/committer.py commits the orders that wait together
    orders/service.py        (2) the order is placed: the order and its event are written in one transaction
    events/outbox.py         (3) the event is recorded
    events/relay.py          (4) it is sent to Kafka
    events/brokers/          (5) Kafka stores it (or, with `run`, an embedded log)
    events/consumer.py       (6) the catalog reads it
    workers/stock_consumer.py    names the handler that the consumer calls
    catalog/handlers.py      (7) stock is reserved or refused; the answer takes the same way back
    orders/handlers.py       (8) the order is confirmed or rejected

Beside the road stand `contract/` (what other services rely on: events, topics, limits, problems and the
written documents), `api/identity/` (who may call the API), `api/watch.py` (requests that wait for an order),
`processes.py` (every process, as a row of data), `metrics/` (what is counted, and the port that shows it),
`tracing/` (the spans of traced orders), `database/` and `api/serving/` (technique: what makes statements and
requests fast, and bounds them), `workers/` (the relays and consumers), `operations/` (what an operator sees
and does), `api/admin/` and `ui/` (the same over HTTP, and the page) and `commands/` (the command line).

Read the packages in this order, each file from its top. `docs/architecture.md` has a picture, and
`docs/extending.md` shows how to add a process, a field, a filter or a setting.
"""

__version__ = "0.1.0"
