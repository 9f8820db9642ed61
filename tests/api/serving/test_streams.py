"""Requests that wait, on the real server: bounds, and the end of the process."""

import json
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

import gevent
import gevent.socket
import pytest

from orders_service.api.event_stream import COMMENT_SECONDS
from orders_service.api.serving.connection import ANSWER_SECONDS, STREAM_BYTES, Connection, Stage
from orders_service.api.serving.server import DRAIN_SECONDS
from rig import waiting
from rig.waiting import await_true
from tests.api.kit import literal
from tests.api.serving.test_server import BODY, Address, Answer, serving, sized

pytestmark = pytest.mark.long

STREAM = b"GET /order-service/kim/orders/events HTTP/1.1\r\nHost: x\r\n\r\n"
LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
WAITING = sized(BODY).replace(b"Host:", b"Prefer: wait=30\r\nHost:")
WAITING_BRIEFLY = WAITING.replace(b"wait=30", b"wait=1")
RETRY = b"retry: 1000\n\n"


@contextmanager
def connected(address: Address, request: bytes) -> Iterator[socket.socket]:
    """A client that has sent a request."""
    with socket.create_connection(("127.0.0.1", address.port), timeout=waiting.seconds(30)) as client:
        client.sendall(request)
        yield client


def begun(client: socket.socket) -> bytes:
    """What a stream has sent at its beginning."""
    read = b""
    while RETRY not in read:
        more = client.recv(65536)
        assert more, f"hung up after {read!r}"
        read += more
    return read


def answer(client: socket.socket) -> bytes:
    """The next answer, if it has a body in JSON."""
    read = b""
    while not read.endswith(b"}\n"):
        read += client.recv(65536)
    return read


def rest(client: socket.socket) -> bytes:
    """All that comes until the server closes the connection."""
    read = b""
    with suppress(ConnectionResetError):
        while more := client.recv(65536):
            read += more
    return read


def placed(folder: Path) -> list[str]:
    with closing(sqlite3.connect(folder / "orders.db")) as reader:
        return [order_id for (order_id,) in reader.execute("SELECT order_id FROM orders")]


def confirm(folder: Path, order_id: str) -> None:
    with closing(sqlite3.connect(folder / "orders.db", timeout=30)) as writer:
        writer.execute(
            "UPDATE orders SET status = 'CONFIRMED', version = version + 1 WHERE order_id = ?", (order_id,)
        )
        writer.commit()


def test_a_stream_is_not_kept_back_and_its_connection_serves_the_next_request(tmp_path: Path) -> None:
    with serving(tmp_path) as (address, _):
        order_id = json.loads(address.send(sized(BODY)).body)["orderId"]
        path = b"GET /order-service/kim/orders/%s/events HTTP/1.1\r\nHost: x\r\n\r\n" % order_id.encode()
        with connected(address, path) as client:
            first = begun(client)
            confirm(tmp_path, order_id)
            second = client.recv(65536)
            address.send(
                b"POST /order-service/kim/orders/%s/cancel HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                b"Content-Length: 0\r\n\r\n" % order_id.encode()
            )
            end = b""
            while not end.endswith(b"0\r\n\r\n"):
                end += client.recv(65536)
            client.sendall(LIVE)
            after = rest(client)

    assert b"Transfer-Encoding: chunked" in first
    assert b'"status":"PENDING"' in first
    assert b'"status":"CONFIRMED"' in second
    assert b'"status":"CANCELLED"' in end
    assert Answer.of(after).status == 200


def test_told_to_stop_it_answers_those_that_wait_and_ends_a_hundred_streams(tmp_path: Path) -> None:
    with serving(tmp_path) as (address, process), ExitStack() as clients:
        streams = [clients.enter_context(connected(address, STREAM)) for _ in range(100)]
        waits = [clients.enter_context(connected(address, WAITING)) for _ in range(10)]
        for client in streams:
            begun(client)
        await_true(lambda: len(placed(tmp_path)) == len(waits), "all wait")

        began = time.monotonic()
        process.handle.terminate()
        assert process.wait(DRAIN_SECONDS) == 0
        took = time.monotonic() - began
        ends = [rest(client) for client in streams]
        answers = [Answer.of(rest(client)) for client in waits]

    assert {end.endswith(RETRY + b"\r\n0\r\n\r\n") for end in ends} == {True}
    assert {answer.status for answer in answers} == {201}
    assert {json.loads(answer.body)["status"] for answer in answers} == {"PENDING"}
    assert took < waiting.seconds(DRAIN_SECONDS)
    assert "timeout" not in (tmp_path / "api.log").read_text()


def test_streams_take_at_most_half_of_the_connections_and_new_clients_are_served(tmp_path: Path) -> None:
    with serving(tmp_path, API_CONNECTIONS_MAX="20") as (address, _), ExitStack() as clients:
        streams = [clients.enter_context(connected(address, STREAM)) for _ in range(10)]
        for client in streams:
            begun(client)

        more = [address.send(STREAM.replace(b"Host", b"Connection: close\r\nHost")) for _ in range(20)]
        silent = [clients.enter_context(connected(address, b"")) for _ in range(30)]
        served = [address.send(LIVE).status for _ in range(10)]
        order_id = json.loads(address.send(sized(BODY)).body)["orderId"]
        told = [client.recv(65536) for client in streams]

    assert {answer.status for answer in more} == {503}
    assert {answer.headers["retry-after"] for answer in more} == {"1"}
    assert served == [200] * 10
    assert all(order_id.encode() in text for text in told), "no stream was closed for a silent client"
    assert len(silent) == 30


def test_a_client_that_does_not_read_its_stream_is_hung_up_on(tmp_path: Path) -> None:
    with serving(tmp_path, API_WAITERS_MAX="1") as (address, _), ExitStack() as clients:
        client = socket.socket()
        clients.enter_context(client)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", address.port))
        client.sendall(STREAM)
        await_true(lambda: address.send(WAITING_BRIEFLY).status == 503, "the stream has the only seat")
        post = sized(literal(productId='"' + "x" * 120 + '"').encode())
        for _ in range(4 * STREAM_BYTES // 300):
            assert address.send(post).status == 201

        await_true(
            lambda: address.send(WAITING_BRIEFLY).status == 201,
            "its seat is free",
            seconds=2 * ANSWER_SECONDS,
        )


@pytest.mark.parametrize("hang_up", [socket.socket.close, lambda client: client.shutdown(socket.SHUT_WR)])
def test_clients_that_hang_up_while_they_wait_leave_their_seats(
    tmp_path: Path, hang_up: Callable[[socket.socket], None]
) -> None:
    with serving(tmp_path, API_WAITERS_MAX="3") as (address, _), ExitStack() as clients:
        order_id = json.loads(address.send(sized(BODY)).body)["orderId"]
        of_order = STREAM.replace(b"orders/", b"orders/%s/" % order_id.encode())
        waiters = [clients.enter_context(connected(address, each)) for each in (STREAM, of_order, WAITING)]
        await_true(lambda: address.send(WAITING_BRIEFLY).status == 503, "all seats are taken")
        for client in waiters:
            hang_up(client)

        def all_seats_are_free() -> bool:
            three = [clients.enter_context(connected(address, WAITING_BRIEFLY)) for _ in waiters]
            return {Answer.of(answer(client)).status for client in three} == {201}

        # Otherwise a stream keeps its seat until two comments were sent, a request until its time is up.
        await_true(all_seats_are_free, "the seats are free", seconds=COMMENT_SECONDS - 5)


def test_each_piece_of_a_stream_has_a_time_out_of_its_own() -> None:
    ours, theirs = gevent.socket.socketpair()
    with ours, theirs:
        connection = Connection(ours)
        connection.begin_request(is_chunked=False)
        connection.begin_stream()
        connection.sendall(b"head")
        connection.sendall(b"piece")
        first = connection.deadline
        gevent.sleep(0.01)
        connection.sendall(b"piece")
        in_stream, second = connection.stage, connection.deadline
        connection.begin_request(is_chunked=False)
        connection.sendall(b"head")
        connection.sendall(b"body")

    assert (in_stream, connection.stage) == (Stage.STREAM, Stage.ANSWER)
    assert second > first
