"""`first-order`: places one order and prints each step until it is answered."""

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import click
import httpx
from marshmallow import ValidationError
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from orders_service import resources
from orders_service.broker_client import broker
from orders_service.commands.new_token import new_token
from orders_service.contract import events, reading, wire
from orders_service.contract.errors import Unreadable
from orders_service.contract.scopes import READ, WRITE
from orders_service.database.engines import one_session
from orders_service.events.brokers.port import BrokerError, Reader, Record
from orders_service.events.tables import OutboxRow
from orders_service.port import base_url
from orders_service.printable import printable, safe
from orders_service.processes import WORKERS
from orders_service.setting_kinds import http_url
from orders_service.settings import Settings, of_process

WAIT_SECONDS = 30
LOOK_SECONDS = 0.02
TOKEN_SECONDS = 300
OTHER_SETTINGS = "Give this command the API's AUTH_MODE and AUTH_SECRET, or a token with --token"


def _http_url(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """Check the value of --url; raise `BadParameter` if it is not an http:// or https:// URL."""
    if value is None:
        return None
    try:
        http_url(value)
    except ValidationError as error:
        raise click.BadParameter(f"{error.messages[0]}, for example http://127.0.0.1:8000") from error
    return value


@click.command("first-order")
@click.option("--user", default="me", show_default=True, help="The user id.")
@click.option("--product", default="CATALOG-001", show_default=True, help="The product id.")
@click.option("--qty", default=1, show_default=True, help="The number of pieces.")
@click.option(
    "--url", callback=_http_url, help="The URL of the API. Default: from the settings API_HOST and API_PORT."
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
    if journey.status != "CONFIRMED":
        raise click.ClickException(f"the order is {journey.status}")


@dataclass
class Journey:
    """One order from the request to the answer, with the time since it was sent."""

    api: httpx.Client
    settings: Settings
    reader: Reader | None
    user: str
    asked: dict[str, Any]
    key: str
    order_id: str = ""
    status: str = "PENDING"
    started: float = field(default_factory=time.perf_counter)

    def tell(self, step: str, text: str) -> None:
        milliseconds = (time.perf_counter() - self.started) * 1000
        click.echo(f"{milliseconds:7.0f} ms  {step:<9} {printable(text)}")

    def place(self) -> None:
        """Send the order; print the response and its outbox row."""
        self.started = time.perf_counter()
        response = self._post()
        if response.status_code != 201:
            raise click.ClickException(
                f"the order was refused: {response.status_code} {response.text.strip()}"
            )
        self.order_id = response.json()["orderId"]
        self.tell("201", f"POST {self._path} → order {self.order_id}, PENDING")
        self._tell_outbox()

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
        self.tell(
            "status", f"PENDING → {self.status}" + (f" ({order['reason']})" if "reason" in order else "")
        )

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
            raise click.ClickException(
                f"the order cannot be read: {response.status_code} {response.text.strip()}"
            )
        order: dict[str, Any] = response.json()
        return order

    def _records(self) -> list[Record]:
        if self.reader is None:
            time.sleep(LOOK_SECONDS)
            return []
        return self.reader.poll(seconds=LOOK_SECONDS)

    def _tell_outbox(self) -> None:
        try:
            with one_session(self.settings.orders_database_url) as session:
                row = session.scalars(select(OutboxRow).where(OutboxRow.id == self._event_id())).first()
        except (SQLAlchemyError, OSError):
            row = None
        if row is not None:
            self.tell("outbox", f"row {row.seq}, in the order's own transaction: {row.type}")

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
            self.tell("log", f"{record}: {event.type}")

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
