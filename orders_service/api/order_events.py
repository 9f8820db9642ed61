"""Server-sent events: the changes of one order, or of a user's newest orders, as they happen.

An event is the order as `GET` shows it. Its id is `<orderId>:<version>`. If an order changes twice within a
moment, a client may see only the second state. A client that connects again with the header Last-Event-ID, as
browsers do by themselves, gets what it has missed; it may get an event twice.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import orjson
from flask import Blueprint, request
from flask.typing import ResponseReturnValue
from sqlalchemy import Row, Select

from orders_service.api import orders, responses
from orders_service.api.database import READER, db
from orders_service.api.event_stream import stream, watcher_of_app
from orders_service.api.identity.principal import user_of_request
from orders_service.api.watch import Newest, Watcher
from orders_service.database.reading import rows_of
from orders_service.orders import changes
from orders_service.orders.order import Status

FINAL = (Status.REJECTED, Status.CANCELLED)  # An order with this status does not change any more.

order_events = Blueprint("order_events", __name__, url_prefix="/order-service")
order_events.before_request(orders.check_user_id)


@order_events.get("/<user_id>/orders/<order_id>/events")
def of_order(user_id: str, order_id: str) -> ResponseReturnValue:
    """The order, and each change of it. Ends when the order is REJECTED or CANCELLED.

    A CONFIRMED order can still be cancelled, so the stream goes on. Browsers connect again when a stream
    ends; after a final event, the answer 204 tells them to stop.
    """
    watcher_of_app().seats.require_one(user_of_request())
    order = orders.find(user_id, order_id)
    last = request.headers.get("Last-Event-ID")
    if last == event_id(order) and order.status in FINAL:
        return "", 204
    return stream(OneOrder(watcher_of_app(), order, last))


# No order has the id `events`: ids are UUIDs. So this address hides no order.
@order_events.get("/<user_id>/orders/events")
def of_user(user_id: str) -> ResponseReturnValue:
    """New orders of the user, and changes of the user's newest orders (NEWEST_MAX), from now on."""
    watcher_of_app().seats.require_one(user_of_request())
    last = request.headers.get("Last-Event-ID")
    newest = None if last else watcher_of_app().newest_of(user_id)
    newest = newest or Newest(_read(changes.newest_query(user_id))[::-1])
    return stream(OrdersOfUser(watcher_of_app(), user_id, newest, last))


def event_id(row: Row[Any]) -> str:
    """The id of the event that shows the order in this version."""
    return f"{row.order_id}:{row.version}"


@lru_cache(maxsize=1000)
def event(row: Row[Any]) -> bytes:
    """The event that shows the order. The streams share it: making it costs more than sending it."""
    return b"event: order\nid: %s\ndata: %s\n\n" % (
        event_id(row).encode(),
        orjson.dumps(responses.order(row)),
    )


@lru_cache(maxsize=100)
def events_between(before: Newest, after: Newest) -> bytes:
    """The events of the orders that are new or have changed. The streams of a user share them, too."""
    return b"".join(event(row) for row in after.rows if before.versions.get(row.id) != row.version)


class OneOrder:
    """Follows one order."""

    def __init__(self, watcher: Watcher, row: Row[Any], last: str | None) -> None:
        self._watcher = watcher
        self._row = row
        self._is_known = last == event_id(row)

    @property
    def is_final(self) -> bool:
        return self._row.status in FINAL

    def first(self) -> bytes:
        return b"" if self._is_known else event(self._row)

    def next(self, seconds: float, client: int | None) -> bytes:
        row = self._watcher.await_order(self._row.order_id, self._row.version, seconds, client=client)
        if row is None:
            return b""
        self._row = row
        return event(row)


class OrdersOfUser:
    """Follows the newest orders of a user."""

    is_final = False

    def __init__(self, watcher: Watcher, user_id: str, newest: Newest, last: str | None) -> None:
        self._watcher = watcher
        self._user_id = user_id
        self._newest = newest
        self._last = last

    def first(self) -> bytes:
        """The missed events: of orders that changed after the order of the last event was placed."""
        order_id = (self._last or "").rpartition(":")[0]
        rows = self._newest.rows
        since = next((row.created_at for row in rows if row.order_id == order_id), None)
        if since is None:
            return b""
        return b"".join(event(row) for row in rows if row.updated_at >= since and event_id(row) != self._last)

    def next(self, seconds: float, client: int | None) -> bytes:
        newest = self._watcher.await_user(self._user_id, self._newest.signature, seconds, client=client)
        if newest is None:
            return b""
        before, self._newest = self._newest, newest
        return events_between(before, newest)


def _read(query: Select[Any]) -> Sequence[Row[Any]]:
    return rows_of(db.engines[READER], query, {})
