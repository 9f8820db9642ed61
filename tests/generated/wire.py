"""HTTP as a client that trusts nobody reads it: what a request means, and what was answered."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from rig import waiting
from tests.generated.requests import Order

LINE = re.compile(rb"POST ([^ ?#\r\n]+)\?? HTTP/1\.[0-9]")
ORDERS = re.compile("/order-service/([^/]+)/orders/?")
TRACE = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")


@dataclass(frozen=True)
class Answer:
    """One answer of a connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_problem(self) -> bool:
        """Whether it is problem details that tell the status of the answer."""
        if self.headers.get("content-type") != "application/problem+json":
            return False
        told = json.loads(self.body)
        return bool(told["status"] == self.status and told["title"] and told["type"])


def meaning(raw: bytes) -> Order:
    """The order that *raw* asks for; raises `ValueError` where it is none."""
    head, end, rest = raw.partition(b"\r\n\r\n")
    line, *lines = head.split(b"\r\n")
    target = LINE.fullmatch(line)
    path = target and b"/".join(
        unquote_to_bytes(part).replace(b"/", b"%2F") for part in target[1].split(b"/")
    )
    found = path and ORDERS.fullmatch(path.decode())
    if not end or not found:
        raise ValueError(f"no order: {line!r}")
    headers = {
        n.lower().decode("latin-1"): v.strip().decode("latin-1")
        for n, _, v in (one.partition(b":") for one in lines)
    }
    body = _dechunked(rest)[0] if "transfer-encoding" in headers else rest[: int(headers["content-length"])]
    asked = json.loads(body.decode())
    if set(asked) != {"productId", "qty", "unitPrice"}:
        raise ValueError(f"other members: {sorted(asked)}")
    trace = headers.get("traceparent", "")
    return Order(
        user=found[1],
        product=asked["productId"],
        qty=asked["qty"],
        price=asked["unitPrice"],
        trace=trace if TRACE.fullmatch(trace) else None,
    )


def _dechunked(data: bytes) -> tuple[bytes, bytes]:
    """The body in chunks at the beginning of *data*, and what follows it."""
    body = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        if length == 0:
            return body, data.partition(b"\r\n")[2]
        body, data = body + data[:length], data[length + 2 :]


def exchange(port: int, sent: bytes) -> bytes:
    """Send the bytes, say that there are no more, and read until the server closes."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=waiting.seconds(30)) as connection:
        with suppress(OSError):  # A server that has refused a request need not read what follows.
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
        with suppress(ConnectionError):
            while more := connection.recv(65536):
                received += more
    return received


def answers(received: bytes, heads: list[bool]) -> Iterator[Answer]:
    """The answers, one after the other, without interim ones; *heads*: which requests are HEAD, if known.

    Raises `ValueError` for what is no HTTP.
    """
    asked = iter(heads)
    while received:
        head, end, received = received.partition(b"\r\n\r\n")
        found = STATUS.match(head)
        if not end or not found:
            raise ValueError(f"no answer: {head[:200]!r}")
        if found[1].startswith(b"1"):
            continue
        lines = head.decode().split("\r\n")[1:]
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", 0))
        # Of an answer whose request is unknown: a body is there unless another answer, or nothing, follows.
        is_head = next(asked, None)
        if is_head is None:
            is_head = not received or STATUS.match(received) is not None
        if is_head:
            body = b""
        elif headers.get("transfer-encoding") == "chunked":
            body, received = _dechunked(received)
        elif "content-length" not in headers:
            body, received = received, b""  # To a client of HTTP/1.0: it ends with the connection.
        else:
            body, received = received[:length], received[length:]
        if len(body) < length and not is_head:
            raise ValueError(f"an answer that was cut: {head[:200]!r}")
        yield Answer(int(found[1]), headers, body)
