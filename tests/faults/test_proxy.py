"""The proxy forwards everything, except for the faults that a test asks for."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from rig import waiting
from tests.faults.proxy import Proxy


class Echo:
    """A server that sends everything back, and remembers it."""

    def __init__(self) -> None:
        self.heard = b""
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._server.accept()
            threading.Thread(target=self._echo, args=(connection,), daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            while said := connection.recv(100):
                self.heard += said
                connection.sendall(said)


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
def proxy(echo: Echo) -> Iterator[Proxy]:
    found = Proxy(echo.port)
    yield found
    found.close()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=waiting.seconds(5)) as found:
        yield found


def ask(client: socket.socket, words: bytes) -> bytes:
    """The answer; empty if the connection was cut."""
    try:
        client.sendall(words)
        return client.recv(100)
    except ConnectionError:
        return b""


def test_it_carries_both_directions(client: socket.socket) -> None:
    assert ask(client, b"hello") == b"hello"


def test_a_lost_request_does_not_arrive(proxy: Proxy, client: socket.socket, echo: Echo) -> None:
    proxy.lose_request(b"COMMIT", times=1)

    assert (ask(client, b"hello"), ask(client, b"COMMIT"), echo.heard) == (b"hello", b"", b"hello")
    assert proxy.lost_all


def test_a_lost_reply_belongs_to_a_request_that_arrived(
    proxy: Proxy, client: socket.socket, echo: Echo
) -> None:
    proxy.lose_reply(b"COMMIT", times=1)

    assert (ask(client, b"COMMIT"), echo.heard) == (b"", b"COMMIT")


def test_a_cut_connection_is_closed(proxy: Proxy, client: socket.socket) -> None:
    ask(client, b"hello")

    proxy.cut()

    assert ask(client, b"hello") == b""


def test_what_stalls_comes_later(proxy: Proxy, client: socket.socket) -> None:
    client.settimeout(0.1)
    with proxy.stalled():
        client.sendall(b"hello")
        with pytest.raises(TimeoutError):
            client.recv(100)

    client.settimeout(waiting.seconds(5))
    assert client.recv(100) == b"hello"


def test_a_mute_server_hears_everything(proxy: Proxy, client: socket.socket, echo: Echo) -> None:
    ask(client, b"hello")
    client.settimeout(0.1)

    with proxy.mute(), pytest.raises(TimeoutError):
        ask(client, b"more")

    assert echo.heard == b"hellomore"
    client.settimeout(waiting.seconds(5))
    assert ask(client, b"again") == b""
