"""A TCP proxy on this machine that can cut, stall, delay and lose data."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

CHUNK = 65_536
PAUSE = 0.01


class Proxy:
    """Forwards connections on *port* to another port. A fault applies to all connections."""

    def __init__(self, to: int, *, port: int = 0) -> None:
        self.to = to
        self._server = socket.create_server(("127.0.0.1", port))
        self.port = int(self._server.getsockname()[1])
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stalled = False
        self._mute = False
        self._delay = 0.0
        self._refuses = False
        self._lose_request: list[bytes] = []
        self._lose_reply: list[bytes] = []
        self._start(self._accept)

    def close(self) -> None:
        """End the proxy and close every connection."""
        self._refuses = True
        with suppress(OSError):
            self._server.shutdown(socket.SHUT_RDWR)
        self._server.close()
        self.cut()

    def cut(self) -> None:
        """Cut every connection, as a firewall that restarts does."""
        with self._lock:
            cut, self._open = self._open, set()
        for one in cut:
            _hang_up(one)

    @contextmanager
    def down(self) -> Iterator[None]:
        """Cut every connection and each new one during the block."""
        self._refuses = True
        self.cut()
        yield
        self._refuses = False

    @contextmanager
    def stalled(self) -> Iterator[None]:
        """Hold all data back during the block, without an error; deliver it afterwards."""
        self._stalled = True
        yield
        self._stalled = False

    @contextmanager
    def mute(self) -> Iterator[None]:
        """Deliver requests and lose the answers during the block; cut those connections afterwards."""
        self._mute = True
        yield
        self.cut()
        self._mute = False

    @contextmanager
    def slow(self, seconds: float) -> Iterator[None]:
        """Delay each piece of data, in both directions, during the block."""
        self._delay = seconds
        yield
        self._delay = 0.0

    def lose_request(self, words: bytes, *, times: int) -> None:
        """Cut a connection that sends *words*, before they arrive; so many times."""
        self._lose_request = [words] * times

    def lose_reply(self, words: bytes, *, times: int) -> None:
        """Cut a connection that has sent *words* instead of delivering the answer; so many times."""
        self._lose_reply = [words] * times

    @property
    def lost_all(self) -> bool:
        """Whether every requested loss has happened."""
        return not self._lose_request and not self._lose_reply

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._server.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.to), timeout=2)
            except OSError:
                _hang_up(client)
                continue
            if self._refuses:
                _hang_up(client)
                _hang_up(server)
                continue
            server.settimeout(None)
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self._lock:
                self._open |= {client, server}
            waiting = threading.Event()  # For the answer that will be lost.
            self._start(self._carry, client, server, waiting, False)
            self._start(self._carry, server, client, waiting, True)

    def _carry(
        self, source: socket.socket, sink: socket.socket, waiting: threading.Event, answers: bool
    ) -> None:
        try:
            while said := source.recv(CHUNK):
                while self._stalled:
                    time.sleep(PAUSE)
                time.sleep(self._delay)
                if answers and self._mute:
                    continue
                if answers and waiting.is_set():
                    break
                if not answers and self._is_lost(self._lose_request, said):
                    break
                if not answers and self._is_lost(self._lose_reply, said):
                    waiting.set()
                sink.sendall(said)
        except OSError:
            pass
        for one in (source, sink):
            _hang_up(one)
            with self._lock:
                self._open.discard(one)

    def _is_lost(self, armed: list[bytes], said: bytes) -> bool:
        with self._lock:
            lost = bool(armed) and armed[-1] in said
            if lost:
                armed.pop()
        return lost

    @staticmethod
    def _start(work: Callable[..., None], *arguments: object) -> None:
        threading.Thread(target=work, args=arguments, name="proxy", daemon=True).start()


def _hang_up(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
