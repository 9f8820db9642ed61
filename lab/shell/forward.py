"""Forwards a port of the course's slides to a server of the lab."""

import fcntl
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import PortTaken
from ..ports import HOST
from ..private import opened

BYTES = 65536
SECONDS = 5.0  # The time-out for connecting to a server of the lab, and for a request that is refused.
# When one side of a connection has ended, the other one has so long to end, too. A server that is paused
# would otherwise keep two threads for each client that gave up.
ENDING_SECONDS = 30.0
# A person waits for the end of the shell this long at most.
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Road:
    """A port of the slides, the ports of the lab's servers behind it, and what is sent when all are down."""

    name: str
    port: int
    behind: tuple[int, ...]
    refusal: bytes = b""
    ending_seconds: float = ENDING_SECONDS


class SharedPort(PortTaken):
    """Another shell of this lab forwards the port already."""


@dataclass(frozen=True)
class Way:
    """One direction of a connection, from its *source* to its *sink*."""

    source: socket.socket
    sink: socket.socket
    ended: threading.Event = field(default_factory=threading.Event)

    def copy(self) -> None:
        """Copy until the source ends or one of them fails; then tell the sink that no more will come."""
        with suppress(OSError):
            while data := self.source.recv(BYTES):
                self.sink.sendall(data)
        with suppress(OSError):
            self.sink.shutdown(socket.SHUT_WR)
        self.ended.set()

    def cut(self) -> None:
        """End both directions, which wakes a thread that waits for either socket."""
        for one in (self.source, self.sink):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


class Forward(socketserver.ThreadingTCPServer):
    """Accepts connections on the port of a road, and copies bytes between each of them and the lab's server.

    A Kafka client needs the port only for its first question. The answer names the brokers' own addresses.
    """

    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def __init__(self, road: Road) -> None:
        super().__init__((HOST, road.port), _Connection)
        self.road = road

    def target(self) -> socket.socket | None:
        """A connection to the first server of the lab that accepts one; None if none does."""
        for port in self.road.behind:
            with suppress(OSError):
                found = socket.create_connection((HOST, port), timeout=SECONDS)
                found.settimeout(None)
                return found
        return None


class _Connection(socketserver.BaseRequestHandler):
    server: Forward
    request: socket.socket

    def handle(self) -> None:
        target = self.server.target()
        if target is None:
            self._refuse()
            return
        with target:
            ways = Way(self.request, target), Way(target, self.request)
            back = threading.Thread(target=self._go, args=ways[::-1], daemon=True)
            back.start()
            self._go(*ways)
            back.join()

    def _go(self, way: "Way", opposite: "Way") -> None:
        """Copy one way to its end. If the opposite one does not end soon after, end the connection."""
        way.copy()
        if not opposite.ended.wait(self.server.road.ending_seconds):
            way.cut()

    def _refuse(self) -> None:
        """Read the request before the refusal: a client that is still sending would not see it."""
        if self.server.road.refusal:
            self.request.settimeout(SECONDS)
            with suppress(OSError):
                self.request.recv(BYTES)
                self.request.sendall(self.server.road.refusal)


@contextmanager
def forwarding(road: Road, folder: Path) -> Iterator[None]:
    """Forward the road's port for as long as the block lasts.

    Raises `SharedPort` if another shell of this lab forwards it, `PortTaken` if another program
    listens there. A lock on a file in *folder* distinguishes the two.
    """
    with opened(folder / f"port-{road.port}") as note:
        try:
            fcntl.flock(note, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SharedPort(road.name, road.port) from None
        try:
            forward = Forward(road)
        except OSError:
            raise PortTaken(road.name, road.port) from None
        with forward:
            thread = threading.Thread(target=forward.serve_forever, args=(POLL_SECONDS,), daemon=True)
            thread.start()
            try:
                yield
            finally:
                forward.shutdown()
                thread.join()
