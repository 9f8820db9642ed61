"""Server-sent events: the changes of one order, or of a user's newest orders, as they happen.

An event is the order as `GET` shows it. Its id is `<orderId>:<version>`. If an order changes twice within a
moment, a client may see only the second state. A client that connects again with the header Last-Event-ID, as
browsers do by themselves, gets what it has missed; it may get an event twice.
"""

import time
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Protocol

import orjson
from flask import Blueprint, Response, current_app, request
from flask.typing import ResponseReturnValue
from sqlalchemy import Row, Select

from orders_service.api import responses
from orders_service.api.database import db
from orders_service.api.hang_ups import client_of, hung_up
from orders_service.api.identity.principal import user_of_request
from orders_service.api.orders import check_user_id
from orders_service.api.serving.connection import Connection
from orders_service.api.watch import Newest, Watcher
from orders_service.orders import changes, queries
from orders_service.orders.errors import OrderNotFound
from orders_service.orders.order import Status

STREAM_SECONDS = 300  # Then the stream ends, and the client connects again.
COMMENT_SECONDS = 15  # Without an event for this long, a comment shows gateway and client that all is well.
COMMENT = b":\n\n"
RETRY = b"retry: 1000\n\n"  # Milliseconds after which a browser connects again.
FINAL = (Status.REJECTED, Status.CANCELLED)  # An order with this status does not change any more.

order_events = Blueprint("order_events", __name__, url_prefix="/order-service")
order_events.before_request(check_user_id)


@order_events.get("/<user_id>/orders/<order_id>/events")
def of_order(user_id: str, order_id: str) -> ResponseReturnValue:
    """The order, and each change of it. Ends when the order is REJECTED or CANCELLED.

    A CONFIRMED order can still be cancelled, so the stream goes on. Browsers connect again when a stream
    ends; after a final event, the answer 204 tells them to stop.
    """
    _watcher().seats.require_one(user_of_request())
    rows = _read(queries.order_query(user_id, order_id))
    if not rows:
        raise OrderNotFound(order_id)
    last = request.headers.get("Last-Event-ID")
    if last == event_id(rows[0]) and rows[0].status in FINAL:
        return "", 204
    return _stream(OneOrder(_watcher(), rows[0], last))


# No order has the id `events`: ids are UUIDs. So this address hides no order.
@order_events.get("/<user_id>/orders/events")
def of_user(user_id: str) -> ResponseReturnValue:
    """New orders of the user, and changes of the user's newest orders (NEWEST_MAX), from now on."""
    _watcher().seats.require_one(user_of_request())
    last = request.headers.get("Last-Event-ID")
    newest = None if last else _watcher().newest_of(user_id)
    newest = newest or Newest(_read(changes.newest_query(user_id))[::-1])
    return _stream(OrdersOfUser(_watcher(), user_id, newest, last))


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


class Followed(Protocol):
    """The orders that a stream follows."""

    @property
    def is_final(self) -> bool:
        """Whether nothing can change any more."""

    def first(self) -> bytes:
        """The events at the beginning of the stream."""

    def next(self, seconds: float, client: int | None) -> bytes:
        """The next events; b"" after *seconds* without one, or when the *client* has hung up."""


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


class EventStream:
    """The body of a stream to *client*. It has a seat of *user*, which it leaves when it is closed."""

    def __init__(
        self, watcher: Watcher, followed: Followed, client: int | None = None, user: str = ""
    ) -> None:
        self._watcher: Watcher | None = None  # Until it has a seat.
        watcher.seats.take(user)
        self._user = user
        self._watcher = watcher
        self._followed = followed
        self._client = client

    def __iter__(self) -> Iterator[bytes]:
        yield RETRY + self._followed.first()
        end = time.monotonic() + STREAM_SECONDS
        while self._goes_on and (left := end - time.monotonic()) > 0:
            events = self._followed.next(min(COMMENT_SECONDS, left), self._client)
            if not events and self._client is not None and hung_up([self._client]):
                return
            yield events or COMMENT
        yield RETRY

    @property
    def _goes_on(self) -> bool:
        return not (self._watcher is None or self._watcher.is_stopping or self._followed.is_final)

    def close(self) -> None:
        """Leave the seat. The server calls this at the end of the answer, also when the client is gone."""
        watcher, self._watcher = self._watcher, None
        if watcher is not None:
            watcher.seats.leave(self._user)

    def __del__(self) -> None:
        # A request that fails before its answer begins, for example in a hook, never closes its body.
        self.close()


def _stream(followed: Followed) -> Response:
    stream = EventStream(_watcher(), followed, client_of(request.environ), user_of_request())
    connection = request.environ.get("gunicorn.socket")
    if isinstance(connection, Connection):  # With threads it is a socket, which has a time-out of its own.
        connection.begin_stream()
    headers = [("X-Accel-Buffering", "no")]  # For nginx.
    return current_app.response_class(
        stream, headers=headers, content_type="text/event-stream", direct_passthrough=True
    )


def _read(query: Select[Any]) -> Sequence[Row[Any]]:
    with db.engine.connect().execution_options(read_only=True) as connection:
        return connection.execute(query).all()


def _watcher() -> Watcher:
    watcher: Watcher = current_app.extensions["watcher"]
    return watcher
