"""A client's connection, with bounds on time, bytes and share of the event loop."""

import socket
import time
from contextlib import suppress
from enum import IntEnum
from typing import Any

import gevent
from werkzeug.exceptions import RequestEntityTooLarge, RequestTimeout

from orders_service.api.body import BODY_MAX, BODY_SECONDS, LARGE_BODY, SLOW_BODY
from orders_service.api.serving.greenlets import turn

# The time-outs of a client, in seconds. The worker checks them once a second.
FIRST_SECONDS = 10  # From the connection to the first byte of its first request.
IDLE_SECONDS = 75  # From an answer to the first byte of the next request.
HEAD_SECONDS = 10  # From the first byte of a request to the end of its head.
ANSWER_SECONDS = 20  # From the first to the last byte of the answer. In a stream, of each event.
LINGER_SECONDS = 1  # For a client to read an answer that was sent before its whole request was read.
STOP_SECONDS = 2  # On shutdown, idle connections stay open for this long: a request may be on its way.

HEAD_BYTES = 32 * 1024
# This limit includes the framing of a chunked body: a chunk of one byte takes six bytes on the wire.
BODY_BYTES = 2 * BODY_MAX
# The send buffer of a stream. The kernel would keep megabytes for a client that does not read.
STREAM_BYTES = 32 * 1024
UNREAD_BYTES = 64 * 1024  # The rest of a body is read up to this size; then the connection is closed.
# The size of a read from a chunked body, or of a head, which may be followed by chunks. For each chunk, which
# may be one byte, gunicorn's parser copies all that is left of the read.
SMALL_READ_BYTES = 2048

# How many units a connection may do in the same iteration of the event loop. A unit is one read of the socket
# or one parsed request.
UNITS_IN_A_ROW = 3


class Stage(IntEnum):
    """The stage of a connection: what its client does next."""

    FIRST = 0  # It sends its first request.
    IDLE = 1  # It may send another request, or close.
    HEAD = 2
    BODY = 3
    ANSWER = 4  # It reads the answer.
    STREAM = 5  # It reads a stream of events, which may last for minutes.


class HangUp(BaseException):
    """Closes a connection without an answer: idle for too long, evicted, or its client reads too slowly."""


class HeadTooSlow(Exception):
    """The head of a request did not arrive in time."""


class HeadTooLong(Exception):
    """The head of a request has too many bytes."""


class Connection:
    """A client's socket, as gunicorn's parser reads it and its response writes to it.

    The head of an answer is sent together with the beginning of its body, in one packet. When the client is
    too slow, `recv`, `send` and `sendall` raise the error that `_overdue` returns.
    """

    __slots__ = (
        "_begun",
        "_bytes",
        "_client",
        "_evicted",
        "_greenlet",
        "_head",
        "_loop",
        "_read_bytes",
        "_seen",
        "_streams",
        "_units",
        "_waiting",
        "deadline",
        "since",
        "stage",
    )

    def __init__(self, client: Any) -> None:
        self._client = client
        self._greenlet = gevent.getcurrent()
        self._loop = gevent.get_hub().loop
        self._seen, self._units = -1, 0  # The iteration of the last unit, and how many units it has had.
        self._waiting = False  # True while it waits for the client: only then may it be interrupted.
        self._evicted = False
        self._head: bytes | None = None
        self._begun = self._streams = False
        self._read_bytes = SMALL_READ_BYTES
        self._enter(Stage.FIRST, FIRST_SECONDS)

    def expect_request(self) -> None:
        """Start the time-out of an idle connection. The next answer has not begun."""
        self._head, self._begun = None, False
        self._read_bytes = SMALL_READ_BYTES
        self._enter(Stage.IDLE, IDLE_SECONDS)

    def begin_request(self, *, is_chunked: bool) -> None:
        """Start the time-out of the body: the head has been read."""
        self._enter(Stage.BODY, BODY_SECONDS)
        self._head, self._begun, self._streams = None, False, False
        self._read_bytes = SMALL_READ_BYTES if is_chunked else BODY_BYTES
        self._take_turn()

    def begin_stream(self) -> None:
        """Start the time-out of the answer again with each piece of it, because the answer is a stream."""
        self._streams = True
        with suppress(OSError):
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, STREAM_BYTES)

    def expect_rest(self) -> None:
        """Start the time-out for the unread rest of a body: the request needs no more of it."""
        self._enter(Stage.BODY, LINGER_SECONDS)

    def recv(self, size: int) -> bytes:
        """Read at most *size* bytes; b"" when the client has closed its side.

        Raises `HeadTooSlow`, `HeadTooLong`, `RequestTimeout`, `RequestEntityTooLarge` or `HangUp`.
        """
        self._waiting = True
        try:
            data: bytes = self._client.recv(min(size, self._read_bytes))
        finally:
            self._waiting = False
        if self.stage <= Stage.IDLE:
            self._enter(Stage.HEAD, HEAD_SECONDS)
        self._bytes += len(data)
        self._take_turn()
        if self.stage == Stage.HEAD and self._bytes > HEAD_BYTES:
            raise HeadTooLong
        if self.stage == Stage.BODY and self._bytes > BODY_BYTES:
            raise RequestEntityTooLarge
        return data

    def sendall(self, data: bytes) -> None:
        """Send *data*. The first call for an answer has its head, which is kept until the second call."""
        if self._begun:
            self._write(data)
        elif self._head is None:
            self._head = data
        else:
            self._begun = True
            self._write(self._head + data)

    def send(self, data: bytes) -> None:
        """Send *data* at once, for example `100 Continue`."""
        self._waiting = True
        try:
            self._client.sendall(data)
        finally:
            self._waiting = False

    def finish_answer(self) -> None:
        """Send the head of an answer that has no body."""
        if self._head is not None and not self._begun:
            self._begun = True
            self._write(self._head)

    def shutdown(self, how: int) -> None:
        """Abort the answer. gunicorn calls this after an error in the middle of one."""
        self._begun = True
        self._client.shutdown(how)

    def linger(self) -> None:
        """Let the client read the answer while it still sends its request.

        Closing at once would reset the connection, and the client might never see the answer.
        """
        self.expect_rest()
        with suppress(OSError, RequestTimeout, RequestEntityTooLarge):
            self._client.shutdown(socket.SHUT_WR)
            while self.recv(8192) and self._bytes < UNREAD_BYTES:
                pass

    def fileno(self) -> int:
        """The file descriptor of the socket."""
        number: int = self._client.fileno()
        return number

    def close(self) -> None:
        """Close the socket."""
        with suppress(OSError):
            self._client.close()

    @property
    def waits_for_client(self) -> bool:
        return self._waiting

    @property
    def answer_has_begun(self) -> bool:
        """Whether the answer to the current request has begun."""
        return self._begun

    def evict(self) -> None:
        """Close the connection at once, without an answer, to make room for another."""
        self._evicted, self.deadline = True, 0.0
        self._loop.run_callback(self.interrupt)

    def interrupt(self) -> None:
        """Raise the time-out in the connection's greenlet if it still waits. The event loop calls this."""
        if self._waiting:
            self._greenlet.throw(self._overdue())

    def _overdue(self) -> BaseException:
        if self._evicted:
            return HangUp()
        if self.stage == Stage.HEAD:
            return HeadTooSlow()
        return RequestTimeout(SLOW_BODY) if self.stage == Stage.BODY else HangUp()

    def _enter(self, stage: Stage, seconds: float) -> None:
        self.stage, self._bytes = stage, 0
        self.since = time.monotonic()
        self.deadline = self.since + seconds

    def _write(self, data: bytes) -> None:
        if self.stage != Stage.ANSWER:
            self._enter(Stage.STREAM if self._streams else Stage.ANSWER, ANSWER_SECONDS)
        self._waiting = True
        try:
            # gevent's `sendall` would first call `getsockopt` for the size of the send buffer.
            sent = self._client.send(data)
            if sent < len(data):
                self._client.sendall(memoryview(data)[sent:])
        finally:
            self._waiting = False

    def _take_turn(self) -> None:
        """Let other greenlets run first if this one keeps the event loop busy or reads a large body."""
        if self._loop.iteration != self._seen:
            self._seen, self._units = self._loop.iteration, 0
        is_large = self.stage == Stage.BODY and self._bytes > LARGE_BODY
        if is_large or self._units == UNITS_IN_A_ROW:
            with turn(first=False):
                self._seen, self._units = self._loop.iteration, 0
        self._units += 1
