"""What the tests of relays and consumers share: an outbox with its log, and a log with its consumer."""

import json
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.orm import Session, sessionmaker

from orders_service.contract.events import Event, OrderCancelled, OrderPlaced, StockReserved
from orders_service.contract.topics import Topics
from orders_service.database.columns import utc_now
from orders_service.database.engines import open_relay_engine, session_maker
from orders_service.events.brokers.embedded import EmbeddedBroker
from orders_service.events.brokers.port import Delivery, Outgoing, Producer, Record, TopicSpec
from orders_service.events.consumer import Consumer, Handler, Received
from orders_service.events.dead_letters import Refused
from orders_service.events.outbox import Outbox
from orders_service.events.relay import Relay
from orders_service.events.tables import DeadLetter, Lease, OutboxRow
from rig.databases import Databases

MIB = 1_048_576
CATALOG, STOCK = "example-catalog-topic", "example-stock-topic"
TOPIC, GROUP = "example-catalog-topic", "catalog-stock"


class Post:
    """An outbox, its log, and relays between them."""

    def __init__(self, databases: Databases, path: Path) -> None:
        self.databases = databases
        self.engine = open_relay_engine(databases.orders_url)
        self.sessions = sessionmaker(self.engine)
        self.broker = EmbeddedBroker(path / "broker.db")
        self.broker.create_topics([CATALOG], TopicSpec(partitions=1))
        self.outbox = Outbox("/order-service", Topics())
        self.relays: list[Relay] = []

    def relay(self, owner: str = "a") -> Relay:
        self.relays.append(Relay(self.engine, self.broker.producer(), owner=owner))
        return self.relays[-1]

    def record(self, *events: Event) -> None:
        with self.sessions.begin() as session:
            self.outbox.record(session.connection(), events, utc_now())

    def rows(self) -> list[OutboxRow]:
        with self.sessions() as session:
            return list(session.scalars(select(OutboxRow).order_by(OutboxRow.seq)))

    def log(self, topic: str = CATALOG) -> list[Record]:
        reader = self.broker.read([topic], from_start=True)
        records = reader.poll(seconds=0)
        reader.close()
        return records


def placed(order_id: str = "o1") -> OrderPlaced:
    return OrderPlaced(order_id=order_id, product_id="CATALOG-001", qty=1)


def cancelled(order_id: str = "o1") -> OrderCancelled:
    return OrderCancelled(order_id=order_id, product_id="CATALOG-001", qty=1)


def reserved(order_id: str = "o1") -> StockReserved:
    return StockReserved(order_id=order_id, product_id="CATALOG-001", qty=1)


class Slow(Producer):
    """A producer to whose records on one topic nothing happens until it is told."""

    def __init__(self, producer: Producer, topic: str) -> None:
        self.stuck = True
        self._producer = producer
        self._topic = topic
        self._held: list[tuple[Sequence[Outgoing], list[Delivery]]] = []

    def send(self, records: Sequence[Outgoing]) -> list[Delivery]:
        if not records or records[0].topic != self._topic:
            return self._producer.send(records)
        self._held.append((records, [Delivery() for _ in records]))
        return self._held[-1][1]

    def wait(self, deliveries: Sequence[Delivery], *, seconds: float) -> bool:
        while self._held and not self.stuck:
            records, held = self._held.pop()
            for delivery, done in zip(held, self._producer.send(records), strict=True):
                delivery.acknowledged = done.acknowledged
        return not any(delivery.open for delivery in deliveries)

    def close(self) -> None:
        self._producer.close()


class Reception:
    """A log, a handler that writes a row per order, and a consumer between them."""

    def __init__(self, databases: Databases, path: Path) -> None:
        self.sessions = session_maker(databases.catalog_url)
        self.broker = EmbeddedBroker(path / "broker.db")
        self.broker.create_topics([TOPIC], TopicSpec(partitions=1, max_message_bytes=64 * MIB))
        self.producer = self.broker.producer()
        self.consumer: Consumer | None = None

    def send(self, *values: bytes, headers: tuple[tuple[str, bytes], ...] = ()) -> None:
        self.producer.send([Outgoing(TOPIC, b"k", value, headers) for value in values])

    def consume(self, handler: Handler) -> Consumer:
        self.close()
        self.consumer = Consumer(
            self.sessions,
            self.broker.subscribe(GROUP, [TOPIC]),
            handler,
            group=GROUP,
            topics=[TOPIC],
            database="catalog",
            poll_seconds=0,
        )
        return self.consumer

    def applied(self) -> list[str]:
        with self.sessions() as session:
            return list(session.scalars(select(Lease.lane).order_by(Lease.lane)))

    def dead(self) -> list[DeadLetter]:
        with self.sessions() as session:
            return list(session.scalars(select(DeadLetter).order_by(DeadLetter.offset)))

    def close(self) -> None:
        if self.consumer:
            self.consumer.close()


def order(order_id: str) -> bytes:
    return json.dumps({"orderId": order_id, "productId": "CATALOG-001", "qty": 1}).encode()


def write_a_row(session: Session, received: Sequence[Received]) -> Sequence[Refused]:
    """A handler: one row for each order, in a table that has the right shape for it."""
    now = utc_now()
    rows = [{"lane": r.event.order_id, "owner": "x", "expires_at": now} for r in received]
    session.execute(insert(Lease), rows)
    return []
