"""What only the real server shows: requests as they come in, byte by byte."""

import json
import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import gevent.socket
import pytest

from lab import Ports
from orders_service.api.body import BODY_MAX, LARGE_BODY
from orders_service.api.serving.connection import Connection
from orders_service.api.serving.server import Server
from orders_service.processes import DATABASES
from orders_service.settings import Settings
from rig import waiting
from rig.embedded import prepare
from rig.processes import Process, service
from rig.waiting import await_true
from tests.api.kit import literal

BODY = literal().encode()
POST = b"POST /order-service/kim/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
JSON = POST + b"Content-Type: application/json\r\n"
CHUNKED = JSON + b"Transfer-Encoding: chunked\r\n\r\n"
PROBLEM = "application/problem+json"


@dataclass(frozen=True)
class Answer:
    """A response: version, status, headers by their names in lower case, and body."""

    version: str
    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, answer: bytes) -> "Answer":
        head, _, body = answer.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        headers = (line.partition(": ") for line in lines)
        version, status, *_ = first.split()
        return cls(version, int(status), {name.lower(): value for name, _, value in headers}, body)


@dataclass(frozen=True)
class Address:
    """Where the server listens."""

    port: int

    def send(self, request: bytes, *, ended: bool = True) -> Answer:
        """Send the bytes as they are, no more, and read until the server closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=waiting.seconds(10)) as connection:
            answer = b""
            with suppress(OSError):  # A server that has refused a body leaves its rest unread and hangs up.
                connection.sendall(request)
                if ended:
                    connection.shutdown(socket.SHUT_WR)
            with suppress(ConnectionResetError):
                while more := connection.recv(65536):
                    answer += more
        return Answer.of(answer)

    def orders(self) -> bytes:
        return self.send(
            b"GET /order-service/kim/orders HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
        ).body

    @property
    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """`orders-service api` on embedded databases, for many tests."""
    with serving(tmp_path_factory.mktemp("server")) as (address, _):
        yield address


@contextmanager
def serving(folder: Path, **settings: str) -> Iterator[tuple[Address, Process]]:
    """`orders-service api` on embedded databases in *folder*."""
    address = Address(Ports.free().connect)
    environment = {
        **{f"{name.upper()}_DATABASE_URL": f"sqlite:///{folder}/{name}.db" for name in DATABASES},
        **{"API_PORT": str(address.port), "API_WORKERS": "1", "BROKER": "embedded"},
        "STATE_DIR": str(folder),
        **settings,
    }
    prepare(environment)
    process = Process("api", service("api"), environment, folder / "api.log")
    try:
        process.start(lambda: address.answers)
        yield address, process
    finally:
        process.end()


def chunks(*parts: bytes, last: bytes = b"0\r\n\r\n") -> bytes:
    return CHUNKED + b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + last


def sized(body: bytes, *, claimed: int | None = None) -> bytes:
    return JSON + b"Content-Length: %d\r\n\r\n" % (len(body) if claimed is None else claimed) + body


def test_two_keys_are_refused(server: Address) -> None:
    before = server.orders()

    answer = server.send(sized(BODY).replace(b"Host:", b"Idempotency-Key: a\r\nIdempotency-Key: b\r\nHost:"))

    assert (answer.status, answer.headers["content-type"]) == (400, PROBLEM)
    assert server.orders() == before


@pytest.mark.parametrize("cut", [1, 20, len(BODY)])
def test_a_body_in_chunks_is_read_whole(server: Address, cut: int) -> None:
    answer = server.send(chunks(*filter(None, (BODY[:cut], BODY[cut:]))))

    assert answer.status == 201


@pytest.mark.parametrize(("size", "status"), [(BODY_MAX, 201), (BODY_MAX + 1, 413), (2 * BODY_MAX, 413)])
@pytest.mark.parametrize("in_chunks", [True, False])
def test_a_body_has_the_same_limit_in_chunks_and_in_one(
    server: Address, size: int, status: int, in_chunks: bool
) -> None:
    body = BODY.ljust(size)

    answer = server.send(chunks(BODY, body[len(BODY) :]) if in_chunks else sized(body))

    assert answer.status == status
    assert answer.headers["content-type"] == ("application/json" if status == 201 else PROBLEM)


@pytest.mark.parametrize(
    "request_",
    [
        sized(BODY, claimed=len(BODY) + 1),
        sized(BODY.ljust(1000), claimed=2000),
        chunks(BODY, last=b""),
        chunks(BODY, last=b"5\r\nab"),
        chunks(BODY, last=b"nonsense\r\n"),
        JSON + b"\r\n",
        POST + b"\r\n" + BODY,
    ],
    ids=[
        "one byte missing",
        "half missing",
        "no last chunk",
        "half a chunk",
        "no chunk",
        "empty",
        "no length",
    ],
)
def test_a_body_that_does_not_come_whole_is_refused(server: Address, request_: bytes) -> None:
    before = server.orders()

    answer = server.send(request_)

    assert answer.status in (400, 415)
    assert answer.headers["content-type"] == PROBLEM
    assert server.orders() == before


@pytest.mark.parametrize("path", ["/order-service/%FF/orders", "/order-service/%C0%AF/orders", "/%ED%A0%80"])
def test_a_path_that_is_not_utf_8_is_refused(server: Address, path: str) -> None:
    answer = server.send(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())

    assert (answer.status, answer.headers["content-type"]) == (400, PROBLEM)


@pytest.mark.parametrize("character", ["x", "김", "😀"])
def test_the_longest_user_fits_into_a_request_line(server: Address, character: str) -> None:
    user = "".join(f"%{byte:02X}" for byte in (character * 255).encode())

    answer = server.send(sized(BODY).replace(b"/kim/", f"/{user}/".encode()))

    assert answer.status == 201
    location = answer.headers["location"].encode()
    shown = server.send(b"GET " + location + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert shown.status == 200


def test_what_a_proxy_says_of_its_client_is_not_read(server: Address) -> None:
    said = b"X-Forwarded-Proto: https\r\nX-Forwarded-Ssl: off\r\nSCRIPT_NAME: /catalog-service\r\n"

    answer = server.send(sized(BODY).replace(b"Host:", said + b"Host:"))

    assert answer.status == 201
    assert answer.headers["location"].startswith("/order-service/")


def test_head_and_body_go_in_one_packet_and_what_comes_later_in_its_own() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        connection = Connection(ours)
        for data in (b"head ", b"body", b"more"):
            connection.sendall(data)
        connection.finish_answer()
        connection.begin_request(is_chunked=False)
        connection.sendall(b"only a head")
        connection.finish_answer()

        packets = [theirs.recv(100) for _ in range(3)]

    assert packets == [b"head body", b"more", b"only a head"]


@pytest.mark.parametrize(("is_chunked", "largest"), [(False, 8192), (True, 2048)])
def test_between_the_reads_of_a_large_body_others_are_served(is_chunked: bool, largest: int) -> None:
    ours, theirs = gevent.socket.socketpair()
    served: list[int] = []

    def serve_others() -> None:
        while True:
            served.append(1)
            gevent.sleep(0)

    with ours, theirs:
        connection = Connection(ours)
        theirs.sendall(b"x" * 40_000)
        connection.begin_request(is_chunked=is_chunked)
        others = gevent.spawn(serve_others)
        read, without_turn = 0, 0
        for _ in range(4):
            before = len(served)
            assert len(connection.recv(8192)) == largest
            read += largest
            without_turn += read > LARGE_BODY and len(served) == before
        others.kill()

    assert read > LARGE_BODY
    assert without_turn == 0


def test_an_answer_that_is_given_up_sends_nothing_more() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        connection = Connection(ours)
        connection.sendall(b"head")
        connection.shutdown(socket.SHUT_RDWR)
        connection.finish_answer()

        assert theirs.recv(100) == b""


def test_head_has_no_body(server: Address) -> None:
    answer = server.send(b"HEAD /catalog-service/catalogs HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")

    assert (answer.status, answer.body) == (200, b"")
    assert int(answer.headers["content-length"]) > 0


def test_who_waits_for_100_continue_is_answered(server: Address) -> None:
    answer = server.send(sized(BODY).replace(b"Host:", b"Expect: 100-continue\r\nHost:"))

    assert answer.status == 100
    assert b" 201 " in answer.body.split(b"\r\n")[0]


def test_told_to_stop_it_answers_who_has_asked_and_hangs_up_on_who_has_not(tmp_path: Path) -> None:
    with serving(tmp_path) as (address, process), closing(sqlite3.connect(tmp_path / "orders.db")) as writer:
        quiet = socket.create_connection(("127.0.0.1", address.port))
        quiet.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
        assert _read_to(b'{"status":"alive"}\n', quiet).startswith(b"HTTP/1.1 200")
        writer.execute("BEGIN IMMEDIATE")
        asking = socket.create_connection(("127.0.0.1", address.port), timeout=waiting.seconds(15))
        asking.sendall(sized(BODY).replace(b"Connection: close\r\n", b""))
        await_true(lambda: not _unread(address.port), "the request is read")

        process.handle.terminate()
        writer.rollback()

        assert Answer.of(asking.recv(4096)).status == 201
        assert quiet.recv(4096) == b""
        assert process.wait(5) == 0
        assert "Traceback" not in (tmp_path / "api.log").read_text()
        asking.close()
        quiet.close()


def _read_to(end: bytes, connection: socket.socket) -> bytes:
    """All that has come, up to *end*."""
    read = b""
    while not read.endswith(end):
        more = connection.recv(4096)
        assert more, f"hung up after {read!r}"
        read += more
    return read


def _unread(port: int) -> bool:
    """Whether bytes wait for the server on any of its connections."""
    # psutil does not read the queues of a socket.
    listed = Path("/proc/net/tcp").read_text().splitlines()[1:]
    sockets = (line.split() for line in listed)
    return any(
        int(one[1].partition(":")[2], 16) == port and one[4].partition(":")[2] != "00000000"
        for one in sockets
    )


@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::1", "::", "localhost"])
def test_it_listens_where_it_is_told(host: str) -> None:
    server = Server(
        Settings.read({"API_HOST": host, "API_PORT": "8123", "AUTH_MODE": "none"}), {}, greenlets=True
    )

    assert server.cfg.address == [(host, 8123)]


def test_the_log_lines_of_a_request_have_its_id(tmp_path: Path) -> None:
    get = (
        b"GET /order-service/kim/orders HTTP/1.1\r\nHost: x\r\nX-Request-Id: a/b\r\nConnection: close\r\n\r\n"
    )
    with serving(tmp_path) as (server, _):
        with closing(sqlite3.connect(tmp_path / "orders.db")) as database:
            database.execute("DROP TABLE orders")

        answer = server.send(get)
        log = (tmp_path / "api.log").read_text()

    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    (failed,) = [line for line in lines if line["event"] == "database unavailable"]
    assert (answer.status, answer.headers["x-request-id"], failed["request_id"]) == (503, "a/b", "a/b")
    assert {line["event"] for line in lines if "request_id" in line} == {"database unavailable", "request"}


def test_a_request_that_is_refused_gets_its_answer_on_a_kept_connection_too(server: Address) -> None:
    good = b"GET /order-service/kim/orders HTTP/1.1\r\nHost: x\r\n\r\n"
    bad = b"GET /order-service/kim/orders HTTP/1.1\r\nHost: x\r\nX-Long: %s\r\n\r\n" % (b"x" * 4000)

    with socket.create_connection(("127.0.0.1", server.port), timeout=waiting.seconds(10)) as connection:
        connection.sendall(good)
        first = connection.recv(65536)
        connection.sendall(bad)
        second = b""
        while more := connection.recv(65536):
            second += more

    assert first.startswith(b"HTTP/1.1 200 ")
    assert second.startswith(b"HTTP/1.1 431 ")


def test_a_connection_is_kept_after_an_answer_without_a_body(server: Address) -> None:
    placed = server.send(sized(BODY))
    path = placed.headers["location"].encode()
    known = b"GET %s HTTP/1.1\r\nHost: x\r\nIf-None-Match: %s\r\n\r\n" % (
        path,
        placed.headers["etag"].encode(),
    )
    last = b"GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path

    first = server.send(known + known + last)

    assert (first.status, first.headers["etag"]) == (304, '"1"')
    assert not {"content-length", "transfer-encoding"} & first.headers.keys()
    second = Answer.of(first.body)
    assert (second.status, Answer.of(second.body).status) == (304, 200)
