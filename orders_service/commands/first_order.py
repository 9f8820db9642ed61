"""`first-order`: places one order and prints each step until it is answered."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import click
import httpx
from sqlalchemy import Executable, Row, select
from sqlalchemy.exc import SQLAlchemyError

from orders_service import resources
from orders_service.broker_client import broker
from orders_service.commands.arguments import http_address
from orders_service.commands.new_token import new_token
from orders_service.contract import events, reading, wire
from orders_service.contract.errors import Unreadable
from orders_service.contract.scopes import READ, WRITE
from orders_service.database.columns import utc_now
from orders_service.database.engines import one_session
from orders_service.events.brokers.port import BrokerError, Reader, Record
from orders_service.events.tables import OutboxRow
from orders_service.orders.order import Order
from orders_service.port import base_url
from orders_service.printable import printable, safe
from orders_service.processes import WORKERS
from orders_service.settings import Settings, of_process

WAIT_SECONDS = 30
LOOK_SECONDS = 0.02
TOKEN_SECONDS = 300
OTHER_SETTINGS = "Give this command the API's AUTH_MODE and AUTH_SECRET, or a token with --token"


@click.command("first-order")
@click.option("--user", default="me", show_default=True, help="The user id.")
@click.option("--product", default="CATALOG-001", show_default=True, help="The product id.")
@click.option("--qty", default=1, show_default=True, help="The number of pieces.")
@click.option(
    "--url",
    callback=http_address,
    help="The URL of the API. Default: from the settings API_HOST and API_PORT.",
)
@click.option("--token", help="An access token. Default: with AUTH_MODE=jwt and AUTH_SECRET, a new one.")
def main(user: str, product: str, qty: int, url: str | None, token: str | None) -> None:
    """Place an order at the running service, and print what happens to it."""
    settings = of_process("first-order")
    base = url or base_url(settings.api_host, settings.api_port)
    if token is None and settings.auth_mode == "jwt" and settings.auth_secret:
        token = new_token(settings, user, scope=f"{READ} {WRITE}", seconds=TOKEN_SECONDS)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    try:
        with httpx.Client(base_url=base, timeout=10, headers=headers) as api:
            _follow_one(settings, api, user, product, qty)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise click.ClickException(
            f"no API answers at {base} ({error})."
            " Start the API (make run, or orders-service api), or give its URL with --url"
        ) from error
    except ValueError as error:
        raise click.ClickException(
            f"another program answers at {base}: {error}. Give the API's URL with --url"
        ) from error


def _follow_one(settings: Settings, api: httpx.Client, user: str, product: str, qty: int) -> None:
    with _looking(settings) as reader:
        before = _product(api, product)
        asked = {"productId": product, "qty": qty, "unitPrice": before["unitPrice"]}
        about = f"{before['productName']}: {before['stock']} in stock, {before['unitPrice']} each"
        click.echo(f"{printable(about)}\n")
        journey = Journey(api, settings, reader, user, asked, key=str(uuid.uuid4()))
        journey.place()
        journey.follow()
        after = _product(api, product)
        journey.tell("stock", f"{product}: {before['stock']} → {after['stock']}")
        journey.replay()
        _tell_page(api, journey.order_id)
    if journey.status != "CONFIRMED":
        raise click.ClickException(f"the order is {journey.status}")


def _tell_page(api: httpx.Client, order_id: str) -> None:
    """Print the address of the order's page, if this API serves the page: a gateway may not."""
    if api.get("/ui").status_code == 200:
        click.echo(f"\nSee the order: {str(api.base_url).rstrip('/')}/ui/orders/{order_id}")


@dataclass
class Journey:
    """One order from the request to the answer, with the time since it was sent.

    What is stored tells its own time, the one that the page shows: rows of the orders database if it can be
    read from here, and records of the log. Other times are those at which this command got an answer.
    """

    api: httpx.Client
    settings: Settings
    reader: Reader | None
    user: str
    asked: dict[str, Any]
    key: str
    order_id: str = ""
    status: str = "PENDING"
    sent_at: datetime = field(default_factory=utc_now)

    def tell(self, step: str, text: str, *, at: datetime | None = None) -> None:
        milliseconds = max(0.0, ((at or utc_now()) - self.sent_at).total_seconds() * 1000)
        click.echo(f"{milliseconds:7.0f} ms  {step:<9} {printable(text)}")

    def place(self) -> None:
        """Send the order; print the response and its outbox row."""
        self.sent_at = utc_now()
        response = self._post()
        answered_at = utc_now()
        if response.status_code != 201:
            told = f"{response.status_code} {response.text.strip()}"
            raise click.ClickException(f"the order was refused: {told}")
        self.order_id = response.json()["orderId"]
        self._tell_outbox()
        self.tell("201", f"POST {self._path} → order {self.order_id}, PENDING", at=answered_at)

    def follow(self) -> None:
        """Print each event of the order until the order is no longer PENDING."""
        deadline = time.monotonic() + WAIT_SECONDS
        seen: set[str] = set()
        while self.status == "PENDING":
            if time.monotonic() > deadline:
                raise click.ClickException(self._missing(seen))
            for record in self._records():
                self._tell_record(record, seen)
            order = self._order()
            self.status = order["status"]
        for record in self._records():
            self._tell_record(record, seen)
        reason = f" ({order['reason']})" if "reason" in order else ""
        changed = self._read(select(Order.updated_at).where(Order.order_id == self.order_id))
        self.tell("status", f"PENDING → {self.status}{reason}", at=changed and changed.updated_at)

    def replay(self) -> None:
        """Send the same request with the same key again; fail unless the answer is the same order."""
        response = self._post()
        if response.status_code != 201:
            raise click.ClickException(
                f"the repeated request was refused: {response.status_code} {response.text.strip()}"
            )
        same = response.json().get("orderId") == self.order_id
        if not same or response.headers.get("Idempotent-Replayed") != "true":
            raise click.ClickException(f"the repeated request placed another order: {response.text.strip()}")
        self.tell("again", "the same request with the same Idempotency-Key → the same order, no second one")

    @property
    def _path(self) -> str:
        return f"/order-service/{quote(self.user, safe='')}/orders"

    def _post(self) -> httpx.Response:
        return self.api.post(self._path, json=self.asked, headers={"Idempotency-Key": self.key})

    def _order(self) -> dict[str, Any]:
        response = self.api.get(f"{self._path}/{self.order_id}")
        if response.status_code != 200:
            told = f"{response.status_code} {response.text.strip()}"
            raise click.ClickException(f"the order cannot be read: {told}")
        order: dict[str, Any] = response.json()
        return order

    def _records(self) -> list[Record]:
        if self.reader is None:
            time.sleep(LOOK_SECONDS)
            return []
        return self.reader.poll(seconds=LOOK_SECONDS)

    def _tell_outbox(self) -> None:
        columns = OutboxRow.seq, OutboxRow.type, OutboxRow.created_at
        row = self._read(select(*columns).where(OutboxRow.id == self._event_id()))
        if row is not None:
            text = f"row {row.seq}, in the order's own transaction: {row.type}"
            self.tell("outbox", text, at=row.created_at)

    def _read(self, query: Executable) -> Row[Any] | None:
        """The first row of the orders database; None if there is none, or if it cannot be read from here."""
        try:
            with one_session(self.settings.orders_database_url) as session:
                return session.execute(query).first()
        except (SQLAlchemyError, OSError):
            return None

    def _event_id(self) -> str:
        asked = {"product_id": self.asked["productId"], "qty": self.asked["qty"]}
        return events.OrderPlaced(order_id=self.order_id, **asked).id

    def _tell_record(self, record: Record, seen: set[str]) -> None:
        type_ = wire.headers_by_name(record.headers).get("ce_type")
        try:
            event = reading.read_event(type_, record.value)
        except Unreadable:
            return
        if event is not None and event.order_id == self.order_id and event.type not in seen:
            seen.add(event.type)
            at = datetime.fromtimestamp(record.timestamp / 1000, UTC)
            self.tell("log", f"{record}: {event.type}", at=at)

    def _missing(self, seen: set[str]) -> str:
        """The error message for an order that is still PENDING: which process may not be running."""
        waits = f"order {self.order_id} is still PENDING after {WAIT_SECONDS} s"
        if self.reader is None:
            return f"{waits}. Check that {', '.join(worker.command for worker in WORKERS)} run"
        if not seen:
            return f"{waits}, its event is not in {self.settings.catalog_topic}. Check that orders-relay runs"
        if len(seen) == 1:
            return f"{waits} without an answer. Check that stock-consumer and catalog-relay run"
        return f"{waits}, although the catalog has answered. Check that status-consumer runs"


@contextmanager
def _looking(settings: Settings) -> Iterator[Reader | None]:
    """A reader of both topics from their end, or None if the broker cannot be reached from here."""
    names = resources.topics(settings).names
    try:
        reader = broker(settings).read(names, from_start=False)
    except BrokerError as error:
        cause = safe(str(error))
        click.echo(f"(events are not shown, because the log cannot be read from here: {cause})\n")
        yield None
        return
    try:
        yield reader
    finally:
        reader.close()


def _product(api: httpx.Client, product_id: str) -> dict[str, Any]:
    response = api.get(f"/catalog-service/catalogs/{quote(product_id, safe='')}")
    product: dict[str, Any] = response.json() if "json" in response.headers.get("Content-Type", "") else {}
    if not isinstance(product, dict):
        raise ValueError("the answer is not a product")
    if response.status_code != 200:
        told = product.get("detail") or response.text.strip() or response.reason_phrase
        told = f"the product cannot be read: {response.status_code} {told}"
        raise click.ClickException(f"{told} {OTHER_SETTINGS}" if response.status_code == 401 else told)
    if missing := {"productName", "stock", "unitPrice"} - product.keys():
        raise ValueError(f"the product has no {', '.join(sorted(missing))}")
    return product
