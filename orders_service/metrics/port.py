"""METRICS_PORT: `GET /metrics` and `GET /livez` of one process, without a token, and nothing else.

A worker serves it on a thread. The API serves it with gunicorn (`api/serving/metrics_port.py`), because a
thread in gunicorn's main process and its forks would disturb each other.
"""

import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

import structlog

from orders_service.metrics import exposition

CONNECTIONS_MAX = 8  # With one more, the oldest is closed: a slow client cannot keep Prometheus out.
CONNECTION_SECONDS = 5.0  # From the connection to the last byte of the answer.
HEAD_BYTES = 8192  # The head of a request may have no more.
PAUSE_SECONDS = 0.5  # After a connection that could not be accepted: no file descriptor is free.
ALIVE = b'{"status":"alive"}\n'
NOTHING_ELSE = b"This port has GET /metrics and GET /livez.\n"

Answer = tuple[HTTPStatus, str, bytes]  # Status, content type and body.
log = structlog.get_logger()


def answer(method: str, path: str, metrics: Callable[[], bytes]) -> Answer:
    """The answer to a request. *metrics* makes the text; if it is empty, the answer is 503."""
    if method == "HEAD":
        status, content_type, _ = answer("GET", path, metrics)
        return status, content_type, b""
    if path not in ("/metrics", "/livez"):
        return HTTPStatus.NOT_FOUND, "text/plain", NOTHING_ELSE
    if method != "GET":
        return HTTPStatus.METHOD_NOT_ALLOWED, "text/plain", NOTHING_ELSE
    if path == "/livez":
        return HTTPStatus.OK, "application/json", ALIVE
    try:
        text = metrics()
    except Exception:
        log.exception("cannot collect the metrics")
        return HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", b"The metrics failed. The error was logged.\n"
    if not text:
        return HTTPStatus.SERVICE_UNAVAILABLE, "text/plain", b"The metrics are late.\n"
    return HTTPStatus.OK, exposition.CONTENT_TYPE, text


class MetricsPort:
    """Serves *metrics* on *host*:*port* with daemon threads: one that listens, and one per connection.

    `http.server` would give each read of a request its own time-out, so a client that sends a byte now and
    then could stay for hours. Here a connection has one deadline.
    """

    def __init__(
        self, host: str, port: int, metrics: Callable[[], bytes] = exposition.of_this_process
    ) -> None:
        """Listen; with *port* 0, on a free one. Raises `OSError` if the port is taken."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, port), family=family)
        self._metrics = metrics
        self._open: deque[socket.socket] = deque()
        self._mutex = threading.Lock()

    def start(self) -> None:
        """Start answering."""
        threading.Thread(target=self._accept, name="metrics", daemon=True).start()

    @property
    def number(self) -> int:
        """The number of the port."""
        return int(self._listener.getsockname()[1])

    @property
    def is_busy(self) -> bool:
        """Whether a client is connected."""
        return bool(self._open)

    def close(self) -> None:
        """Stop listening."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # Wakes the thread.
        self._listener.close()

    def _accept(self) -> None:
        while self._listener.fileno() >= 0:
            try:
                client, _ = self._listener.accept()
            except OSError:
                time.sleep(PAUSE_SECONDS)
                continue
            self._admit(client)

    def _admit(self, client: socket.socket) -> None:
        with self._mutex:
            self._open.append(client)
            if len(self._open) > CONNECTIONS_MAX:
                _hang_up(self._open.popleft())
        try:
            threading.Thread(target=self._serve, args=(client,), name="metrics-client", daemon=True).start()
        except RuntimeError:  # No thread can be started now.
            self._leave(client)

    def _serve(self, client: socket.socket) -> None:
        deadline = time.monotonic() + CONNECTION_SECONDS
        try:
            if request := _read_head(client, deadline):
                method, target, *_ = *request.split(b"\r\n", 1)[0].decode("latin-1").split(" "), "", ""
                answered = answer(method, target.partition("?")[0], self._metrics)
                client.settimeout(_left(deadline))  # For all of the answer, not for each piece of it.
                client.sendall(_as_bytes(*answered))
        except OSError:
            pass  # The client has closed, or its time is over.
        finally:
            self._leave(client)

    def _leave(self, client: socket.socket) -> None:
        with self._mutex, suppress(ValueError):
            self._open.remove(client)
        client.close()


def _read_head(client: socket.socket, deadline: float) -> bytes:
    """Read the head of a request, and nothing of its body; empty if the client sends too much or closes."""
    head = b""
    while b"\r\n\r\n" not in head:
        client.settimeout(_left(deadline))
        more = client.recv(HEAD_BYTES)
        head += more
        if not more or len(head) > HEAD_BYTES:
            return b""
    return head


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _as_bytes(status: HTTPStatus, content_type: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n"
        f"Content-Type: {content_type}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _hang_up(client: socket.socket) -> None:
    """Wake the thread that reads from *client*: it closes the connection."""
    with suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
