"""A stream of server-sent events: its seat, its comments, and its end. What it follows is the caller's."""

import math
import time
from collections.abc import Iterator
from typing import Protocol

from flask import Response, current_app, request

from orders_service.api.hang_ups import client_of, hung_up
from orders_service.api.identity import principal
from orders_service.api.own_time import mark_as_waiting
from orders_service.api.seats import Seats
from orders_service.api.serving.connection import Connection
from orders_service.api.watch import Watcher

STREAM_SECONDS = 300  # Then the stream ends, and the client connects again.
COMMENT_SECONDS = 15  # Without an event for this long, a comment shows gateway and client that all is well.
COMMENT = b":\n\n"
RETRY = b"retry: 1000\n\n"  # Milliseconds after which a browser connects again.


class Followed(Protocol):
    """The source of a stream's events."""

    @property
    def is_final(self) -> bool:
        """Whether nothing can change any more."""

    def first(self) -> bytes:
        """The events at the beginning of the stream."""

    def next(self, seconds: float, client: int | None) -> bytes:
        """The next events; b"" after *seconds* without one, or when the *client* has hung up."""


class EventStream:
    """The body of a stream to *client*, for *seconds* at most.

    It has one of *seats*, by default of the watcher's, for *user*, and leaves it when it is closed.
    """

    def __init__(
        self,
        watcher: Watcher,
        followed: Followed,
        client: int | None = None,
        user: str = "",
        *,
        seats: Seats | None = None,
        seconds: float = STREAM_SECONDS,
    ) -> None:
        self._watcher: Watcher | None = None  # Until it has a seat.
        self._seats = seats or watcher.seats
        self._seats.take(user)
        self._user = user
        self._seconds = seconds
        self._watcher = watcher
        self._followed = followed
        self._client = client

    def __iter__(self) -> Iterator[bytes]:
        yield RETRY + self._followed.first()
        end = time.monotonic() + self._seconds
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
            self._seats.leave(self._user)

    def __del__(self) -> None:
        # A request that fails before its answer begins, for example in a hook, never closes its body.
        self.close()


def stream(followed: Followed, seats: Seats | None = None) -> Response:
    """The answer that sends the events of *followed*; raises `TooManyWaiters` without a free seat.

    It ends when the client's token expires.
    """
    client = principal.of_request()
    left = math.inf if client is None else client.expires - time.time()
    body = EventStream(
        watcher_of_app(),
        followed,
        client_of(request.environ),
        principal.user_of_request(),
        seats=seats,
        seconds=min(STREAM_SECONDS, left),
    )
    mark_as_waiting(request.environ)
    connection = request.environ.get("gunicorn.socket")
    if isinstance(connection, Connection):  # With threads it is a socket, which has a time-out of its own.
        connection.begin_stream()
    headers = [("X-Accel-Buffering", "no")]  # For nginx.
    return current_app.response_class(
        body, headers=headers, content_type="text/event-stream", direct_passthrough=True
    )


def watcher_of_app() -> Watcher:
    """The watcher, which has the seats of all requests that wait."""
    watcher: Watcher = current_app.extensions["watcher"]
    return watcher
