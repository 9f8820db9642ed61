"""The whole flow, cranked by hand: real steps, a real log, no sleeping."""

from pathlib import Path
from typing import Any

from flask.testing import FlaskClient
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from orders_service import resources
from orders_service.api.app import create_app
from orders_service.broker_client import broker, topic_spec
from orders_service.events.brokers.port import Outgoing, Record
from orders_service.events.tables import DeadLetter, OutboxRow
from orders_service.events.worker import Worker
from orders_service.processes import WORKERS, worker
from orders_service.settings import Settings
from orders_service.workers.build import build
from rig.databases import Databases
from rig.history import assert_stock_adds_up
from tests.api.kit import close_engines

BERLIN, TOKYO, STOCKHOLM = "CATALOG-001", "CATALOG-002", "CATALOG-003"
PRICES = {BERLIN: 1500, TOKYO: 1000, STOCKHOLM: 2000}


class Flow:
    """Orders from HTTP to stock and back, one step at a time."""

    def __init__(self, databases: Databases, state_dir: Path, **environment: str) -> None:
        self.settings = Settings.read(
            databases.environment | {"STATE_DIR": str(state_dir), "TOPIC_PARTITIONS": "3"} | environment
        )
        self.databases = databases
        self.log = broker(self.settings, create=True)
        self.topics = (self.settings.catalog_topic, self.settings.stock_topic)
        self.log.create_topics(resources.topics(self.settings).names, topic_spec(self.settings))
        self.by_command = {
            process.command: build(process, self.settings, poll_seconds=0) for process in WORKERS
        }
        self.app = create_app(self.settings)
        self.api: FlaskClient = self.app.test_client()

    @property
    def workers(self) -> tuple[Worker, ...]:
        return tuple(self.by_command.values())

    @property
    def orders_relay(self) -> Worker:
        return self.by_command["orders-relay"]

    @property
    def stock_consumer(self) -> Worker:
        return self.by_command["stock-consumer"]

    @property
    def catalog_relay(self) -> Worker:
        return self.by_command["catalog-relay"]

    @property
    def status_consumer(self) -> Worker:
        return self.by_command["status-consumer"]

    def restart_stock_consumer(self) -> None:
        """As after a crash: nothing is remembered but what is written down."""
        self.stock_consumer.close()
        self.by_command["stock-consumer"] = build(worker("stock-consumer"), self.settings, poll_seconds=0)

    def place(self, product: str = BERLIN, qty: int = 1, *, key: str | None = None, price: int = 0) -> str:
        """Place an order over HTTP; its id."""
        response = self.api.post(
            "/order-service/kim/orders",
            json={"productId": product, "qty": qty, "unitPrice": price or PRICES.get(product, 1)},
            headers={"Idempotency-Key": key} if key else {},
        )
        assert response.status_code == 201, response.text
        return str(response.get_json()["orderId"])

    def cancel(self, order_id: str) -> None:
        """Cancel it over HTTP."""
        response = self.api.post(f"/order-service/kim/orders/{order_id}/cancel")
        assert response.status_code == 200, response.text

    def run(self) -> None:
        """Turn every step until none has anything left."""
        while sum(worker.step() for worker in self.workers):
            pass

    def order(self, order_id: str) -> Any:
        """The order as HTTP shows it."""
        return self.api.get(f"/order-service/kim/orders/{order_id}").get_json()

    def status(self, order_id: str) -> str:
        return str(self.order(order_id)["status"])

    def stock(self, product: str = BERLIN) -> int:
        return int(self.api.get(f"/catalog-service/catalogs/{product}").get_json()["stock"])

    def records(self, topic: str | None = None) -> list[Record]:
        """Every record of the topics, from the start."""
        reader = self.log.read([topic] if topic else self.topics, from_start=True)
        found: list[Record] = []
        while more := reader.poll(seconds=0):
            found += more
        reader.close()
        return found

    def send(self, records: list[Outgoing]) -> None:
        """Put records into the log, as any other producer could."""
        producer = self.log.producer()
        for record in records:
            (delivery,) = producer.send([record])
            assert delivery.acknowledged, delivery.error
        producer.close()

    def redeliver_everything(self) -> None:
        """Send every record of the log once more."""
        self.send([Outgoing(r.topic, r.key, r.value, r.headers) for r in self.records()])

    def dead_letters(self, engine: str = "catalog") -> list[DeadLetter]:
        with Session(self.databases.engines[engine]) as session:
            return list(session.scalars(select(DeadLetter).order_by(DeadLetter.partition, DeadLetter.offset)))

    def outbox(self, engine: str = "orders") -> list[OutboxRow]:
        with Session(self.databases.engines[engine]) as session:
            return list(session.scalars(select(OutboxRow).order_by(OutboxRow.seq)))

    def assert_stock_adds_up(self) -> None:
        with Session(self.databases.catalog) as session:
            assert_stock_adds_up(session)

    def sql(self, engine: str, statement: str) -> None:
        """Change a database behind the service's back."""
        with self.databases.engines[engine].begin() as connection:
            connection.execute(text(statement))

    def close(self) -> None:
        for each in self.workers:
            each.close()
        close_engines(self.app)
