"""METRICS_PORT: every process answers `/metrics` and `/livez` there, without a token, and nothing else."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from lab import Ports
from orders_service import __version__
from orders_service.metrics import port as metrics_port
from orders_service.metrics.port import CONNECTIONS_MAX, HEAD_BYTES, MetricsPort
from orders_service.processes import DATABASES, PROCESSES, WORKERS
from rig import waiting
from rig.documents.metrics import shown_by
from rig.embedded import prepare
from rig.processes import Process, ended, service
from rig.waiting import await_true
from tests.metrics.kit import answers, families, get, heads, samples, scrape

pytestmark = pytest.mark.long

SCRAPES = 3600  # An hour's worth, one each second.
COMMANDS = [process.command for process in PROCESSES] + ["run"]


@pytest.fixture
def served() -> Iterator[MetricsPort]:
    """A port that serves the metrics of this process."""
    port = MetricsPort("127.0.0.1", 0)
    port.start()
    yield port
    port.close()


@contextmanager
def connected(port: MetricsPort) -> Iterator[socket.socket]:
    """A client of the port."""
    with socket.create_connection(("127.0.0.1", port.number), timeout=waiting.seconds(10)) as client:
        yield client


def prepared(folder: Path, **settings: str) -> dict[str, str]:
    """Settings of a process on new embedded databases and a new embedded log in *folder*."""
    given = {
        **{f"{name.upper()}_DATABASE_URL": f"sqlite:///{folder}/{name}.db" for name in DATABASES},
        "STATE_DIR": str(folder),
        **settings,
    }
    prepare(given)
    return given


@pytest.mark.parametrize("command", COMMANDS)
def test_every_process_serves_its_metrics(tmp_path: Path, command: str) -> None:
    ports = Ports.free()
    number, api_port = ports.mariadb, str(ports.connect)
    given = prepared(
        tmp_path, METRICS_PORT=str(number), API_PORT=api_port, AUTH_MODE="jwt", AUTH_SECRET="k" * 64
    )
    process = Process(command, service(command), given, tmp_path / "log")
    try:
        process.start(lambda: answers(number))

        text = get(number, "/metrics")[1]
        others = [get(number, path)[0] for path in ("/", "/readyz", "/admin/orders", "/docs", "/metrics/")]
        posted = get(number, "/metrics", method="POST")[0]
    finally:
        process.end()

    assert samples(text)["orders_build_info", __version__] == 1
    assert families(text) <= shown_by(command)
    assert (others, posted) == ([404] * 5, 405)
    assert "Traceback" not in process.tail


def test_run_shows_the_same_on_both_ports(tmp_path: Path) -> None:
    ports = Ports.free()
    given = prepared(tmp_path, METRICS_PORT=str(ports.mariadb), API_PORT=str(ports.connect))
    process = Process("run", service("run"), given, tmp_path / "log")
    try:
        process.start(lambda: answers(ports.connect))

        inside, outside = get(ports.mariadb, "/metrics")[1], get(ports.connect, "/metrics")[1]
    finally:
        process.end()

    assert heads(inside) == heads(outside)
    assert heads(inside) >= shown_by("run") - {"orders_auth_keys_age_seconds"}  # It needs AUTH_JWKS_URL.


@pytest.mark.parametrize("command", COMMANDS)
def test_a_port_that_is_taken_is_an_error_at_the_start(tmp_path: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]

        api_port = str(Ports.free().connect)
        done = ended(command, **prepared(tmp_path, METRICS_PORT=str(number), API_PORT=api_port))

    assert done.returncode == 1
    assert f"127.0.0.1:{number} is taken by another process" in done.stderr
    assert "METRICS_PORT=" in done.stderr


@pytest.mark.parametrize("command", [process.command for process in WORKERS])
def test_an_hours_worth_of_scrapes_takes_no_memory(tmp_path: Path, command: str) -> None:
    number = Ports.free().mariadb
    process = Process(
        command, service(command), prepared(tmp_path, METRICS_PORT=str(number)), tmp_path / "log"
    )

    def memory_after(scrapes: int) -> int:
        for _ in range(scrapes):
            assert get(number, "/metrics")[0] == 200
        return int(psutil.Process(process.pid).memory_info().rss)

    try:
        process.start(lambda: answers(number))

        before = memory_after(SCRAPES // 10)
        after = memory_after(SCRAPES)
    finally:
        process.end()

    assert after - before < 5_000_000


def test_without_a_port_nothing_listens(tmp_path: Path) -> None:
    process = Process("relay", service("orders-relay"), prepared(tmp_path), tmp_path / "log")
    try:
        process.start(lambda: "started" in process.tail)

        connections = psutil.Process(process.pid).net_connections("tcp")
    finally:
        process.end()

    assert connections == []


def test_the_api_needs_two_ports() -> None:
    done = ended("api", API_PORT="8123", METRICS_PORT="8123")

    assert done.returncode == 2
    assert "API_PORT is the same port as METRICS_PORT; each needs its own" in done.stderr


def test_slow_clients_cannot_keep_a_scrape_out(served: MetricsPort) -> None:
    with ExitStack() as clients:
        for _ in range(3 * CONNECTIONS_MAX):
            clients.enter_context(connected(served)).sendall(b"GET /metrics HTTP/1.1\r\nX: ")

        told = scrape(served.number)

        names = [thread.name for thread in threading.enumerate()]
    assert told["orders_build_info", __version__] == 1
    assert names.count("metrics-client") <= CONNECTIONS_MAX


def test_a_client_that_trickles_is_closed(served: MetricsPort, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_port, "CONNECTION_SECONDS", 0.5)
    with connected(served) as client:

        def trickle() -> bool:
            with suppress(OSError):
                client.sendall(b"x")
            return not served.is_busy

        client.sendall(b"GET ")
        await_true(lambda: served.is_busy, "it is connected")

        await_true(trickle, "it is closed")


def test_a_head_without_an_end_is_closed(served: MetricsPort) -> None:
    with connected(served) as client:
        client.sendall(b"x" * (2 * HEAD_BYTES))

        await_true(lambda: not served.is_busy, "it is closed", seconds=2)


def test_a_client_that_does_not_read_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics_port, "CONNECTION_SECONDS", 0.5)
    port = MetricsPort("127.0.0.1", 0, lambda: b"x" * 20_000_000)
    port.start()
    with connected(port) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
        await_true(lambda: port.is_busy, "it is connected")

        await_true(lambda: not port.is_busy, "it is closed")

    port.close()


@pytest.mark.parametrize("request_", [b"", b"GET", b"\xff\xfe \xff", b"GET  /metrics", b"HEAD /"])
def test_nonsense_is_not_found(served: MetricsPort, request_: bytes) -> None:
    with connected(served) as client:
        client.sendall(request_ + b"\r\n\r\n")

        assert client.recv(100).startswith(b"HTTP/1.1 404 Not Found\r\n")


@pytest.mark.parametrize("path", ["/livez", "/metrics"])
def test_a_probe_may_ask_for_the_head_only(served: MetricsPort, path: str) -> None:
    assert get(served.number, path, method="HEAD") == (200, "")


def test_metrics_that_fail_are_logged_and_answered_with_500() -> None:
    def fails() -> bytes:
        raise ZeroDivisionError

    status, _, body = metrics_port.answer("GET", "/metrics", fails)

    assert (status, body) == (500, b"The metrics failed. The error was logged.\n")
