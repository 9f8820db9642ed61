"""The ports of the slides, which lead to servers of the lab."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Ports
from lab.errors import PortTaken
from lab.ports import HOST, free_ports, is_free
from lab.shell.forward import Road, SharedPort, forwarding
from rig.waiting import await_true


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that reads a whole request and then sends it back."""
    with socket.create_server((HOST, 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                request = b""
                while data := connection.recv(65536):
                    request += data
                connection.sendall(request)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield server.getsockname()[1]


def ask(port: int, request: bytes) -> bytes:
    with socket.create_connection((HOST, port), timeout=30) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        with connection.makefile("rb") as answer:
            return answer.read()


@pytest.mark.parametrize("size", [0, 1, 1_000_000])
def test_both_directions_are_copied_to_their_ends(echo: int, tmp_path: Path, size: int) -> None:
    road = Road("echo", Ports.free().slides_kafka, (echo,))

    with forwarding(road, tmp_path):
        answer = ask(road.port, b"x" * size)

    assert answer == b"x" * size


def test_the_first_server_that_accepts_is_asked(echo: int, tmp_path: Path) -> None:
    down, port = free_ports(2)

    with forwarding(Road("echo", port, (down, echo)), tmp_path):
        answer = ask(port, b"hello")

    assert answer == b"hello"


def test_a_client_is_told_when_no_server_accepts(tmp_path: Path) -> None:
    down, port = free_ports(2)

    with forwarding(Road("nothing", port, (down,), b"it is down"), tmp_path):
        answer = ask(port, b"hello")

    assert answer == b"it is down"


def test_the_port_is_free_afterwards(tmp_path: Path) -> None:
    down, port = free_ports(2)

    with forwarding(Road("nothing", port, (down,)), tmp_path):
        assert not is_free(port)

    assert is_free(port)


def test_a_port_that_another_shell_forwards_is_told_from_one_of_another_program(tmp_path: Path) -> None:
    down, port = free_ports(2)
    road = Road("nothing", port, (down,))

    with forwarding(road, tmp_path), pytest.raises(SharedPort), forwarding(road, tmp_path):
        pass
    with socket.create_server((HOST, port)), pytest.raises(PortTaken) as caught, forwarding(road, tmp_path):
        pass

    assert type(caught.value) is PortTaken


def is_closed(connection: socket.socket) -> bool:
    """Whether the other side refuses what is sent to it."""
    try:
        connection.sendall(b"x")
    except OSError:
        return True
    return False


@pytest.mark.parametrize("gives_up", ["client", "server"])
def test_a_side_that_does_not_end_after_the_other_is_left(tmp_path: Path, gives_up: str) -> None:
    """A paused broker, for example, never notices that its client has gone."""
    with socket.create_server((HOST, 0)) as listener:
        road = Road("paused", Ports.free().slides_kafka, (listener.getsockname()[1],), ending_seconds=0.05)
        with forwarding(road, tmp_path), socket.create_connection((HOST, road.port)) as client:
            server, _ = listener.accept()
            with server:
                (ending, other) = (client, server) if gives_up == "client" else (server, client)
                ending.shutdown(socket.SHUT_WR)

                await_true(lambda: is_closed(other), "the other side is left")
