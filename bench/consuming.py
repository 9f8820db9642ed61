"""The stock consumer on a backlog, compared with one that reads, changes and writes for each record."""

import json
import sys
from collections.abc import Sequence
from uuid import uuid4

from bench.stage import Stage, throughput
from orders_service.broker_client import broker
from orders_service.contract import wire
from orders_service.contract.events import OrderPlaced
from orders_service.events.brokers.port import Outgoing
from rig.processes import service

BACKLOG = 60_000
PRODUCTS = 3
CHUNK = 1000
SECONDS = 8  # A consumer that has not finished by then is measured up to then.
STOCK = 1_000_000_000


def backlog(stage: Stage, *, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Reservations a second from a backlog of orders: for several products, and all for one product."""
    for topic, products in (("bench-several", PRODUCTS), ("bench-one", 1)):
        produce(stage, topic, products)

    rmw = [sys.executable, "-m", "bench.peers.catalog_rmw"]
    subjects = {
        "stock-consumer": (service("stock-consumer"), "bench-several"),
        "stock-consumer, one product": (service("stock-consumer"), "bench-one"),
        "catalog-rmw": (rmw, "bench-several"),
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in subjects}
    for _ in range(rounds):
        for name, (command, topic) in subjects.items():
            found[name].append(backlog_once(stage, topic, command=command))
    return found


def backlog_once(
    stage: Stage, topic: str, *, command: Sequence[str] = (), **settings: str
) -> dict[str, float]:
    """One round: our stock consumer, or another *command*, reads all of *topic*."""
    stage.empty()
    group = f"bench-{uuid4().hex}"
    command = command or service("stock-consumer")
    process = stage.add(group, command, CATALOG_TOPIC=topic, STOCK_GROUP=group, **settings)
    process.start()
    found = throughput(process, lambda: _reserved(stage), total=BACKLOG, seconds=SECONDS)
    process.end()
    return found


def _reserved(stage: Stage) -> int:
    return PRODUCTS * STOCK - stage.number("SELECT sum(stock) FROM catalog.catalog")


def produce(stage: Stage, topic: str, products: int) -> None:
    """Write BACKLOG orders of so many *products* to *topic*."""
    stage.run("topics", "create", CATALOG_TOPIC=topic)
    producer = broker(stage.settings).producer()
    for start in range(0, BACKLOG, CHUNK):
        records = [_record(topic, number, products) for number in range(start, start + CHUNK)]
        producer.wait(producer.send(records), seconds=30)
    producer.close()


def _record(topic: str, number: int, products: int) -> Outgoing:
    event = OrderPlaced(
        order_id=f"{topic}-{number}",
        product_id=f"CATALOG-{number % products + 1:03d}",
        qty=1,
        unit_price=1500,
        total_price=1500,
        user_id="kim",
    )
    attributes = {
        "id": event.id,
        "source": "/order-service",
        "specversion": "1.0",
        "type": event.type,
        "time": "2026-11-24T07:06:15.292000Z",
        "subject": event.order_id,
    }
    value = json.dumps(event.data(), separators=(",", ":")).encode()
    traceparent = None if number % 100 else f"00-{number + 1:032x}-{number + 1:016x}-01"
    return Outgoing(topic, event.key.encode(), value, wire.write_headers(attributes, traceparent))
