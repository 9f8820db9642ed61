"""The API on two databases, what to send it, and what it wrote."""

import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any, Self, TypeVar

from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Engine, delete, select, update
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from orders_service.api.app import create_app
from orders_service.api.database import COMMITTER, READER, db
from orders_service.api.identity.setup import issuer_keys
from orders_service.database.columns import utc_now
from orders_service.database.transactions import in_transaction
from orders_service.events.tables import OutboxRow
from orders_service.orders import service
from orders_service.orders.order import Order, Status
from orders_service.settings import Settings
from rig import waiting
from rig.databases import Databases
from rig.waiting import await_true

BERLIN, TOKYO, STOCKHOLM = "CATALOG-001", "CATALOG-002", "CATALOG-003"
ORDER = {"productId": BERLIN, "qty": 1, "unitPrice": 1500}
ORDERS = "/order-service/kim/orders"

T = TypeVar("T")


@dataclass
class Api:
    """An application with its own engines, and a look at what stands in its databases."""

    app: Flask
    databases: Databases

    @classmethod
    def on(cls, databases: Databases, **environment: str) -> "Api":
        settings = Settings.read(databases.environment | {"API_THREADS": "50"} | environment)
        return cls(create_app(settings), databases)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def client(self) -> FlaskClient:
        """A new client: each thread needs its own."""
        return self.app.test_client()

    @property
    def is_sqlite(self) -> bool:
        return self.databases.orders.dialect.name == "sqlite"

    def engine(self, bind: str | None = None) -> Engine:
        """The application's own engine, not the one that looks."""
        with self.app.app_context():
            return db.engines[bind]

    @property
    def orders_engines(self) -> list[Engine]:
        """The engine of the requests, that of the committer, and that of the readers."""
        return [self.engine(), self.engine(COMMITTER), self.engine(READER)]

    def get(self, path: str) -> TestResponse:
        return self.client.get(path)

    def place(
        self,
        user: str = "kim",
        *,
        key: str | None = None,
        headers: Mapping[str, str] | None = None,
        **fields: Any,
    ) -> TestResponse:
        """Place the usual order, *fields* changed."""
        sent = dict(headers or {}) | ({} if key is None else {"Idempotency-Key": key})
        body = json.dumps(ORDER | fields)
        return self.client.post(
            f"/order-service/{user}/orders", data=body, headers=sent, content_type="application/json"
        )

    def placed(self, user: str = "kim", *, status: Status = Status.PENDING, **fields: Any) -> str:
        """The id of an order that has been placed, and is *status* by now."""
        response = self.place(user, **fields)
        assert response.status_code == 201, response.text
        order_id = str(member(response, "orderId"))
        self.set_status(order_id, status)
        return order_id

    def send(self, body: bytes | str, *, content_type: str | None = "application/json") -> TestResponse:
        """Send *body* where orders are placed, as it is."""
        return self.client.post(ORDERS, data=body, content_type=content_type)

    def cancel(self, order_id: str, user: str = "kim") -> TestResponse:
        return self.client.post(f"/order-service/{user}/orders/{order_id}/cancel")

    def set_status(self, order_id: str, status: Status) -> None:
        """Move the order behind the API's back, as a consumer would."""
        with self.databases.orders.begin() as connection:
            connection.execute(update(Order).where(Order.order_id == order_id).values(status=status))

    def reject(self, order_id: str, reason: str) -> int:
        """Reject the order, as a consumer would; how many that were."""
        with self.session() as session:
            return in_transaction(session, lambda s: service.reject(s, [order_id], reason, now=utc_now()))

    def confirm(self, order_id: str) -> int:
        """Confirm the order, as a consumer would; how many that were."""
        with self.session() as session:
            return in_transaction(session, lambda s: service.confirm(s, [order_id], now=utc_now()))

    def session(self) -> Session:
        """A look at the orders database, or a hand in it."""
        return Session(self.databases.orders)

    def orders(self) -> list[Order]:
        """Every order, oldest first."""
        with self.session() as session:
            return list(session.scalars(select(Order).order_by(Order.id)))

    def outbox(self) -> list[OutboxRow]:
        """Every recorded event, oldest first."""
        with self.session() as session:
            return list(session.scalars(select(OutboxRow).order_by(OutboxRow.seq)))

    def statuses(self) -> list[str]:
        """The status of every order, oldest first."""
        return [order.status for order in self.orders()]

    def events(self) -> list[str]:
        """The types of every recorded event, oldest first."""
        return [row.type for row in self.outbox()]

    def cancelled(self) -> list[str]:
        """The orders whose cancellation is recorded, once for each time."""
        return [row.aggregateid for row in self.outbox() if row.type == "order.cancelled.v1"]

    def empty(self) -> None:
        """Forget every order."""
        with self.databases.orders.begin() as connection:
            connection.execute(delete(Order))
            connection.execute(delete(OutboxRow))

    def close(self) -> None:
        """Close every connection."""
        close_engines(self.app)


def member(response: TestResponse, name: str) -> Any:
    """A member of the answer's JSON object."""
    assert response.json is not None, response.text
    return response.json[name]


def assert_problem(response: TestResponse, status: int, slug: str, *, fields: tuple[str, ...] = ()) -> None:
    """The answer is problem details of this kind, and names exactly these *fields*."""
    assert response.status_code == status, response.text
    assert response.content_type == "application/problem+json"
    assert member(response, "type") == f"/problems/{slug}"
    assert member(response, "status") == status
    assert member(response, "title")
    assert sorted(error["field"] for error in response.json.get("errors", [])) == sorted(fields)  # type: ignore[union-attr]


def assert_nothing_written(api: Api) -> None:
    """No order stands in the database, and no event."""
    assert api.orders() == []
    assert api.outbox() == []


def literal(**fields: str) -> str:
    """The usual order as JSON text, some of its values given as they are to be sent."""
    members = {name: json.dumps(value) for name, value in ORDER.items()} | fields
    return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in members.items()) + "}"


def at_once(count: int, act: Callable[[int], T]) -> list[T]:
    """Let *count* threads begin together; what each came back with."""
    start = Barrier(count, timeout=waiting.seconds(30))

    def begin(number: int) -> T:
        start.wait()
        return act(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(begin, range(count)))


def close_engines(app: Flask) -> None:
    """Close every connection of an application.

    It waits for connections to SQLite files that are still in use: they would stay open otherwise.
    """
    if keys := issuer_keys(app):
        keys.stop()
    road = app.extensions["road"]
    road.stop()
    await_true(lambda: not road.is_at_work, "nobody reads the road")
    readiness, metrics = app.extensions["readiness"], app.extensions["metrics"]
    of_files = [name for name, engine in readiness.engines.items() if engine.dialect.name == "sqlite"]
    asked = [readiness._questions[f"{name}Database"] for name in of_files]
    if len(of_files) == len(readiness.engines):
        asked.append(metrics)
    await_true(lambda: all(question._answered is None for question in asked), "every question is answered")
    with app.app_context():
        engines = [*db.engines.values(), *readiness.engines.values()]
    pools = [engine.pool for engine in engines if engine.dialect.name == "sqlite"]
    await_true(lambda: not any(pool.checkedout() for pool in pools), "every connection is given back")
    for engine in engines:
        engine.dispose()
