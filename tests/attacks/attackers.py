"""One hostile client with an IP address of its own. It is a process with the lowest priority.

`python -m tests.attacks.attackers NAME PORT SECONDS` repeats one attack until its time is over.
When the server closes a connection, the attack opens another.
"""

import os
import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress

import gevent
from gevent import socket

SOURCE = "127.0.0.66"
PRICE = b'{"productId":"CATALOG-001","qty":1,"unitPrice":1500}'
LIVE = b"GET /livez HTTP/1.1\r\nHost: api\r\n\r\n"
READY = b"GET /readyz HTTP/1.1\r\nHost: api\r\n\r\n"
METRICS = b"GET /metrics HTTP/1.1\r\nHost: api\r\n\r\n"
LIST = b"GET /order-service/hoarder/orders HTTP/1.1\r\nHost: api\r\n\r\n"
STREAM = b"GET /order-service/mallory/orders/events HTTP/1.1\r\nHost: api\r\n\r\n"
POST = b"POST /order-service/mallory/orders HTTP/1.1\r\nHost: api\r\nContent-Type: application/json\r\n"

Attack = Callable[["Attacker"], None]
ATTACKS: dict[str, tuple[int, Attack]] = {}
ORDERING: set[str] = set()  # The attacks that place orders.


class Attacker:
    """One connection of an attack."""

    def __init__(self, port: int, end: float) -> None:
        self._end = end
        self.socket = socket.create_connection(("127.0.0.1", port), 10, source_address=(SOURCE, 0))

    @property
    def goes_on(self) -> bool:
        return time.monotonic() < self._end

    def trickle(self, data: bytes, *, every: float) -> None:
        """Send *data* byte by byte."""
        for number in range(len(data)):
            self.socket.sendall(data[number : number + 1])
            gevent.sleep(every)
            if not self.goes_on:
                return

    def hold(self) -> None:
        """Send nothing more, and wait until the server closes the connection."""
        while self.goes_on:
            self.socket.settimeout(1)
            with suppress(TimeoutError):
                if not self.socket.recv(65536):
                    return

    def drain(self) -> None:
        """Read everything that has arrived."""
        self.socket.setblocking(False)
        with suppress(BlockingIOError):
            while self.socket.recv(1 << 20):
                pass
        self.socket.setblocking(True)


def attack(name: str, connections: int, *, places_orders: bool = False) -> Callable[[Attack], Attack]:
    def note(function: Attack) -> Attack:
        ATTACKS[name] = (connections, function)
        if places_orders:
            ORDERING.add(name)
        return function

    return note


@attack("silent connections", 1100)
def _silent(attacker: Attacker) -> None:
    attacker.hold()


@attack("slow heads", 1100)
def _slow_heads(attacker: Attacker) -> None:
    attacker.socket.sendall(POST)
    attacker.trickle(b"X-Slow: " + b"x" * 1000, every=2)


@attack("a flow of half heads", 300)
def _half_heads(attacker: Attacker) -> None:
    attacker.socket.sendall(POST)
    gevent.sleep(0.5)


@attack("idle after one request", 1100)
def _idle(attacker: Attacker) -> None:
    attacker.socket.sendall(LIVE)
    attacker.hold()


@attack("slow bodies", 1100)
def _slow_bodies(attacker: Attacker) -> None:
    attacker.socket.sendall(POST + b"Content-Length: 60\r\n\r\n{")
    attacker.trickle(b" " * 59, every=2)


@attack("slow bodies of 20 kB", 200)
def _slow_large_bodies(attacker: Attacker) -> None:
    attacker.socket.sendall(POST + b"Content-Length: 60000\r\n\r\n" + b" " * 20_000)
    attacker.trickle(b" " * 40_000, every=2)


@attack("slow readers of lists", 200)
def _slow_readers(attacker: Attacker) -> None:
    attacker.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    attacker.socket.sendall(LIST * 10)
    while attacker.goes_on:
        gevent.sleep(1)
        if not attacker.socket.recv(1):
            return


@attack("the longest list", 1)
def _lists(attacker: Attacker) -> None:
    _in_a_loop(attacker, LIST, b"]\n")


@attack("the longest list, 8 times", 8)
def _eight_lists(attacker: Attacker) -> None:
    _in_a_loop(attacker, LIST, b"]\n")


@attack("pipelining", 2)
def _pipelining(attacker: Attacker) -> None:
    reader = gevent.spawn(attacker.hold)
    while attacker.goes_on and not reader.dead:
        attacker.socket.settimeout(1)
        with suppress(TimeoutError):
            attacker.socket.sendall(LIVE * 2000)
    reader.kill()


@attack("an unread body without end", 4)
def _endless(attacker: Attacker) -> None:
    attacker.socket.sendall(LIVE.replace(b"\r\n\r\n", b"\r\nContent-Length: 1000000000000\r\n\r\n"))
    while attacker.goes_on:
        attacker.socket.sendall(b"x" * 65536)
        gevent.sleep(0.02)


@attack("large heads, byte by byte", 100)
def _large_heads(attacker: Attacker) -> None:
    fields = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 2000) for number in range(15))
    attacker.socket.sendall(LIVE.removesuffix(b"\r\n") + fields)
    attacker.trickle(b"X-Slow: " + b"x" * 1000, every=0.1)


@attack("too large heads", 8)
def _too_large_heads(attacker: Attacker) -> None:
    fields = b"".join(b"X-%d: %s\r\n" % (number, b"x" * 8190) for number in range(96))
    attacker.socket.sendall(LIVE.removesuffix(b"\r\n") + fields)
    attacker.hold()


@attack("readiness, 200 at once", 200)
def _readiness(attacker: Attacker) -> None:
    _in_a_loop(attacker, READY, b"}\n", pause=1)


@attack("metrics, 100 at once", 100)
def _metrics(attacker: Attacker) -> None:
    _in_a_loop(attacker, METRICS, b"\n", pause=1)


@attack("many fields", 4)
def _many_fields(attacker: Attacker) -> None:
    body = b"{%s}" % b",".join(b'"%d":1' % number for number in range(6000))
    request = POST + b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
    _in_a_loop(attacker, request, b"}\n")


@attack("chunks of one byte", 4)
def _chunks(attacker: Attacker) -> None:
    request = POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 60_000 + b"0\r\n\r\n"
    _in_a_loop(attacker, request, b"}\n")


@attack("twins of new keys", 16, places_orders=True)
def _twins(attacker: Attacker) -> None:
    """The same new key on many connections at once: two inserts of one key meet in the database."""
    body = b"Content-Length: %d\r\n\r\n%s" % (len(PRICE), PRICE)
    while attacker.goes_on:
        key = b"Idempotency-Key: twin-%d\r\n" % (time.monotonic() * 50)
        attacker.socket.sendall(POST + key + body)
        if not attacker.socket.recv(65536):
            return


@attack("bytes that are no request", 16)
def _noise(attacker: Attacker) -> None:
    attacker.socket.sendall(random.randbytes(3000) + b"\r\n\r\n")
    attacker.hold()


@attack("streams that nobody reads", 1100, places_orders=True)
def _unread_streams(attacker: Attacker) -> None:
    _stream_of_a_busy_user(attacker, lambda: gevent.sleep(1))


@attack("streams of a busy user", 1100, places_orders=True)
def _busy_streams(attacker: Attacker) -> None:
    _stream_of_a_busy_user(attacker, attacker.drain)


def _stream_of_a_busy_user(attacker: Attacker, read: Callable[[], object]) -> None:
    """One connection in a hundred places orders of the user whose stream the others open."""
    if random.random() < 0.01:
        _in_a_loop(attacker, POST + b"Content-Length: %d\r\n\r\n%s" % (len(PRICE), PRICE), b"}\n", pause=0.05)
    attacker.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    attacker.socket.sendall(STREAM)
    while attacker.goes_on:
        read()
        gevent.sleep(0.2)


@attack("waits for orders", 1100, places_orders=True)
def _waits(attacker: Attacker) -> None:
    request = POST + b"Prefer: wait=30\r\nContent-Length: %d\r\n\r\n%s" % (len(PRICE), PRICE)
    attacker.socket.sendall(request)
    attacker.hold()


def _in_a_loop(attacker: Attacker, request: bytes, end: bytes, *, pause: float = 0) -> None:
    """Send *request* and read its answer up to *end*, again and again."""
    while attacker.goes_on:
        with suppress(ConnectionError):  # The server may answer before it has read everything.
            attacker.socket.sendall(request)
        answer = b""
        while not answer.endswith(end):
            more = attacker.socket.recv(1 << 16)
            if not more:
                return
            answer = (answer + more)[-100:]
        gevent.sleep(pause)


def run(name: str, port: int, seconds: float) -> None:
    """Run all connections of one attack."""
    connections, function = ATTACKS[name]
    end = time.monotonic() + seconds

    def again() -> None:
        while time.monotonic() < end:
            with suppress(OSError):
                attacker = Attacker(port, end)
                try:
                    function(attacker)
                finally:
                    attacker.socket.close()
            gevent.sleep(0.5)

    gevent.joinall([gevent.spawn(again) for _ in range(connections)], timeout=seconds + 1)


if __name__ == "__main__":
    os.nice(19)
    run(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
