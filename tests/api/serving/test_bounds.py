"""Every bound of a client connection, tried on the real server."""

import json
import socket
import sqlite3
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path

import gevent
import psutil
import pytest

from orders_service.api.body import BODY_SECONDS
from orders_service.api.serving import connections
from orders_service.api.serving.connection import ANSWER_SECONDS, FIRST_SECONDS, HEAD_SECONDS, Stage
from orders_service.api.serving.connections import Connections
from orders_service.api.serving.refusals import FIELD_BYTES, FIELDS_MAX, LINE_BYTES
from rig import waiting
from rig.waiting import await_true
from tests.api.serving.test_server import BODY, JSON, PROBLEM, Address, Answer, serving, sized

LIVE = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
KEPT = JSON.replace(b"Connection: close\r\n", b"")
TICK = 1  # The worker looks at its connections once a second.
SLACK = 20  # For a machine that is busy. What is tested is that there is an end.


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """`orders-service api` on embedded databases, for many tests."""
    with serving(tmp_path_factory.mktemp("bounds")) as (address, _):
        yield address


def lasts(address: Address, act: Callable[[socket.socket], object]) -> tuple[float, bytes]:
    """How long a connection is kept on which a client does *act*, and all that it was told."""
    began, told = time.monotonic(), b""
    with socket.create_connection(("127.0.0.1", address.port), timeout=90) as client:
        with suppress(OSError):
            act(client)
        with suppress(ConnectionResetError):
            while more := client.recv(65536):
                told += more
    return time.monotonic() - began, told


def trickles(beginning: bytes) -> Callable[[socket.socket], None]:
    """A client that sends *beginning*, and then a byte every half second."""

    def act(client: socket.socket) -> None:
        client.sendall(beginning)
        client.settimeout(0.5)
        for _ in range(180):
            client.sendall(b" ")
            with suppress(TimeoutError):
                if client.recv(1, socket.MSG_PEEK) or True:
                    break
        client.settimeout(90)

    return act


def test_a_client_that_is_too_slow_is_told_so_and_hung_up_on(server: Address) -> None:
    slow: dict[str, tuple[Callable[[socket.socket], object], int, bytes]] = {
        "silent": (lambda client: None, FIRST_SECONDS, b""),
        "head": (trickles(b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: x"), HEAD_SECONDS, b"HTTP/1.1 408 "),
        "body": (trickles(KEPT + b"Content-Length: 500\r\n\r\n{"), BODY_SECONDS, b"HTTP/1.1 408 "),
        "unread body": (trickles(LIVE[:-2] + b"Content-Length: 500\r\n\r\n{"), 1, b"HTTP/1.1 200 "),
    }

    with ThreadPoolExecutor(len(slow)) as pool:
        seen = dict(zip(slow, pool.map(lambda case: lasts(server, case[0]), slow.values()), strict=True))

    for name, (_, seconds, expected) in slow.items():
        took, told = seen[name]
        assert told.startswith(expected), name
        assert seconds - TICK <= took <= seconds + TICK + waiting.seconds(SLACK), name
        if expected.endswith(b"408 "):
            answer = Answer.of(told)
            assert answer.headers["content-type"] == PROBLEM
            assert json.loads(answer.body)["status"] == 408


def test_a_client_that_does_not_read_its_answer_is_hung_up_on(server: Address) -> None:
    # The answer repeats the order's id, so a few thousand fill every buffer between here and there.
    request = b"GET /order-service/kim/orders/%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"x" * 8000)

    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(ANSWER_SECONDS + TICK + waiting.seconds(3 * SLACK))

        with pytest.raises(ConnectionError):
            client.sendall(request * 5_000)


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * (FIELDS_MAX + 1) + b"\r\n", 431),
        (b"GET /livez HTTP/1.1\r\nX: " + b"y" * FIELD_BYTES + b"\r\n\r\n", 431),
        (b"GET /livez HTTP/1.1\r\n" + (b"X: " + b"y" * 2000 + b"\r\n") * 20 + b"\r\n", 431),
        (b"GET /livez HTTP/1.1\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n", 431),
        (b"GET /" + b"x" * LINE_BYTES + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET /" + b"x" * 1_000_000, 414),
        (b"GET /livez HTTP/9.9\r\n\r\n", 400),
        (b"GET /li vez HTTP/1.1\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nnonsense\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nContent-Length: x\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nExpect: miracles\r\n\r\n", 417),
        (b"GET /livez HTTP/1.1\r\nTransfer-Encoding: magic\r\n\r\n", 400),
        (sized(BODY).replace(b"kim/orders", b"kim%2Forders"), 404),
        (sized(BODY).replace(b"/order-service/kim", b"/order-service%2fkim"), 404),
        (sized(BODY).replace(b" /order-service", b" //order-service"), 404),
        (sized(BODY).replace(b"kim/orders", b"kim/orders#x"), 400),
        (sized(BODY).replace(b"kim/orders", b"k%zzim/orders"), 400),
        (sized(BODY).replace(b" /order-service", b" http://x//order-service"), 404),
        (sized(BODY).replace(b"Host: x\r\n", b""), 400),
        (b"GET /catalog-service%2Fcatalogs/x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 404),
        (KEPT + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 50_000 + b"0\r\n\r\n", 413),
    ],
)
def test_what_is_too_large_or_no_request_is_refused_with_problem_details(
    server: Address, request_: bytes, status: int
) -> None:
    answer = server.send(request_, ended=False)

    assert (answer.status, answer.headers["content-type"]) == (status, PROBLEM)
    body = json.loads(answer.body)
    assert (body["status"], set(body)) == (status, {"type", "title", "status", "detail", "instance"})
    assert body["instance"] == f"/requests/{answer.headers['x-request-id']}"


@pytest.mark.parametrize("version", ["HTTP/1.0", "HTTP/1.1", "HTTP/1.2", "HTTP/1.9"])
def test_an_answer_has_no_later_version_than_ours(server: Address, version: str) -> None:
    answer = server.send(LIVE.replace(b"HTTP/1.1", version.encode()))

    assert (answer.status, answer.version) == (200, min(version, "HTTP/1.1"))


def test_a_body_that_nobody_reads_is_not_read_for_ever(server: Address) -> None:
    def act(client: socket.socket) -> None:
        client.sendall(LIVE[:-2] + b"Content-Length: 1000000000000\r\n\r\n")
        for _ in range(10_000):
            client.sendall(b"x" * 65536)
        pytest.fail("650 MB were read that nobody wanted")

    _, told = lasts(server, act)

    assert told.startswith(b"HTTP/1.1 200 ") or not told  # A reset may overtake the answer.


def test_a_small_body_that_nobody_reads_does_not_end_the_connection(server: Address) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
        client.sendall(LIVE[:-2] + b"Content-Length: 5\r\n\r\nhello" + LIVE)

        answers = b""
        while answers.count(b'{"status":"alive"}') < 2:
            more = client.recv(4096)
            assert more
            answers += more


def test_a_client_that_pipelines_lets_others_be_served(server: Address) -> None:
    with ThreadPoolExecutor(2) as pool:
        end = time.monotonic() + 3

        def pipeline() -> None:
            with socket.create_connection(("127.0.0.1", server.port), timeout=30) as client:
                client.setblocking(False)
                while time.monotonic() < end:
                    with suppress(BlockingIOError):
                        client.send(LIVE * 500)
                    with suppress(BlockingIOError):
                        client.recv(1 << 20)

        attacks = [pool.submit(pipeline) for _ in range(2)]
        served = 0
        while time.monotonic() < end:
            served += server.send(LIVE.replace(b"Host", b"Connection: close\r\nHost")).status == 200
        for attack in attacks:
            attack.result()

    # Before there were turns, not a single one was answered until the pipelining ended.
    assert served > 10


def test_one_connection_more_closes_those_that_keep_it_waiting_longest(tmp_path: Path) -> None:
    with serving(tmp_path, API_CONNECTIONS_MAX="20") as (address, _):
        silent = [socket.create_connection(("127.0.0.1", address.port)) for _ in range(20)]
        kept = socket.create_connection(("127.0.0.1", address.port), timeout=30)
        kept.sendall(LIVE)
        assert kept.recv(4096).startswith(b"HTTP/1.1 200")
        silent += [socket.create_connection(("127.0.0.1", address.port)) for _ in range(20)]

        for _ in range(10):
            assert address.send(LIVE.replace(b"Host", b"Connection: close\r\nHost")).status == 200

        kept.sendall(LIVE)
        assert kept.recv(4096).startswith(b"HTTP/1.1 200"), "an idle client that had asked was closed first"
        for client in (kept, *silent):
            client.close()


def test_when_the_queue_is_full_an_order_is_refused_before_its_body_is_read(tmp_path: Path) -> None:
    with (
        serving(tmp_path, API_QUEUE_MAX="5", API_CONNECTIONS_MAX="500") as (address, _),
        closing(sqlite3.connect(tmp_path / "orders.db")) as writer,
        ThreadPoolExecutor(100) as pool,
    ):
        writer.execute("BEGIN IMMEDIATE")
        # One group is being committed, five more wait. What is beyond is refused, the database still locked.
        waiting = [
            pool.submit(address.send, sized(b'{"productId":"L","qty":1,"unitPrice":1}')) for _ in range(90)
        ]
        await_true(lambda: sum(future.done() for future in waiting) > 0, "one is refused")

        bodyless = address.send(JSON + b"Content-Length: 60000\r\n\r\n", ended=False)
        writer.rollback()
        answers = [future.result() for future in waiting]

    refused = [answer for answer in answers if answer.status == 503 and b"overloaded" in answer.body]
    assert json.loads(bodyless.body)["type"] == "/problems/overloaded"
    assert refused
    assert {answer.headers["retry-after"] for answer in [bodyless, *refused]} == {"1"}
    with closing(sqlite3.connect(tmp_path / "orders.db")) as reader:
        (placed,) = reader.execute("SELECT COUNT(*) FROM orders").fetchone()
    assert placed == sum(answer.status == 201 for answer in answers)


def test_it_may_open_a_file_for_each_connection(tmp_path: Path) -> None:
    with serving(tmp_path, API_CONNECTIONS_MAX="2000") as (_, process):
        soft, _ = psutil.Process(process.pid).rlimit(psutil.RLIMIT_NOFILE)

    assert soft > 2000


def test_who_has_kept_us_waiting_longest_goes_first_and_idle_clients_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(connections, "EVICTED_SHARE", 1000)
    found, ended = Connections(3), []

    def client(name: str, stage: Stage, since: float) -> None:
        ours, theirs = gevent.socket.socketpair()
        connection = found.admit(ours)
        connection.stage, connection.since = stage, since
        try:
            connection.recv(1)
        except BaseException:
            ended.append(name)
        found.leave(connection)
        theirs.close()

    greenlets = [
        gevent.spawn(client, name, stage, since)
        for name, stage, since in (
            ("idle", Stage.IDLE, 1),
            ("slow", Stage.HEAD, 2),
            ("slower", Stage.BODY, 1.5),
        )
    ]
    gevent.sleep(0.01)
    greenlets += [gevent.spawn(client, name, Stage.FIRST, 3) for name in ("new", "newer", "newest")]
    gevent.sleep(0.05)

    assert ended[:2] == ["slower", "slow"]
    assert "idle" not in ended
    gevent.killall(greenlets)
