"""What doctor finds out from a process that answers on METRICS_PORT."""

import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from lab import Ports
from orders_service.commands.doctor import metrics
from orders_service.commands.doctor.finding import Finding, Level, run_checks
from orders_service.metrics.port import MetricsPort
from orders_service.settings import Settings
from rig.embedded import prepare
from rig.processes import Process, service
from rig.waiting import await_true
from tests.metrics.kit import scrape

BUILD = b'orders_build_info{version="1"} 1\n'
API = (
    b'orders_http_requests_total{route="/a",method="POST",status="201"} 950\n'
    b'orders_http_requests_total{route="/a",method="POST",status="503"} %d\n'
    b"orders_pending_age_seconds %d\n"
)
WORKERS = (
    b'orders_step_failures_total{worker="orders-relay"} 3\n'
    b'orders_step_failures_total{worker="stock-consumer"} 4\n'
    b'orders_consumer_lag{group="g",topic="t",partition="0"} 5\n'
    b'orders_consumer_lag{group="g",topic="t",partition="1"} 6\n'
)


def found(port: int | None, **environment: str) -> dict[str, Finding]:
    given = environment | ({"METRICS_PORT": str(port)} if port else {})
    return dict(run_checks(metrics.checks(Settings.read(given))))


def answered(text: Callable[[], bytes], **environment: str) -> tuple[Finding, int]:
    """The finding for a process with these metrics, and its port."""
    with closing(MetricsPort(environment.get("METRICS_HOST", "127.0.0.1"), 0, text)) as port:
        port.start()
        return found(port.number, **environment)["metrics"], port.number


def test_without_a_port_there_is_no_check() -> None:
    assert found(None) == {}


def test_where_nothing_listens_nothing_is_wrong() -> None:
    port = Ports.free().connect

    finding = found(port)["metrics"]

    assert finding.level == Level.FINE
    assert finding.seen.startswith(f"nothing listens on 127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (
            API % (0, 0),
            "api on {}: 950 requests since the start, 0.0 % of them answered with 5xx; no order is PENDING",
        ),
        (
            WORKERS,
            "orders-relay, stock-consumer on {}: 7 steps failed since the start; 11 records unread",
        ),
        (
            API % (0, 12) + WORKERS,
            "api, orders-relay, stock-consumer on {}: 950 requests since the start,"
            " 0.0 % of them answered with 5xx;"
            " the oldest PENDING order is 12 s old; 7 steps failed since the start; 11 records unread",
        ),
    ],
    ids=["api", "workers", "run"],
)
def test_the_numbers_are_those_of_the_process(text: bytes, seen: str) -> None:
    finding, port = answered(lambda: BUILD + text)

    assert finding == Finding(Level.FINE, seen.format(f"127.0.0.1:{port}"))


def test_many_failed_requests_are_a_warning() -> None:
    finding, _ = answered(lambda: BUILD + API % (50, 0))

    assert finding.level == Level.WARNING
    assert "1000 requests since the start, 5.0 % of them answered with 5xx" in finding.seen
    assert "log of the API" in finding.do


def test_a_process_that_listens_on_all_addresses_is_asked_on_this_machine() -> None:
    finding, port = answered(lambda: BUILD + WORKERS, METRICS_HOST="0.0.0.0")

    assert f"127.0.0.1:{port}" in finding.seen


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"# HELP go_threads Threads.\ngo_threads 12\n", "another program listens there"),
        (b"\xff" * 1000, "another program listens there"),
        (b"", "status 503"),
    ],
    ids=["another program", "nonsense", "late"],
)
def test_an_answer_without_our_metrics_is_a_warning(text: bytes, problem: str) -> None:
    finding, port = answered(lambda: text)

    assert finding.level == Level.WARNING
    assert finding.seen == f"no metrics from 127.0.0.1:{port}: {problem}"


def test_a_process_that_never_answers_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "SECONDS", 0.2)

    def hang() -> bytes:
        time.sleep(1)
        return b""

    finding, _ = answered(hang)

    assert finding.level == Level.WARNING
    assert "timed out" in finding.seen


def test_a_real_consumer_shows_its_numbers(tmp_path: Path) -> None:
    port = Ports.free().connect
    environment = {
        "ORDERS_DATABASE_URL": f"sqlite:///{tmp_path}/orders.db",
        "CATALOG_DATABASE_URL": f"sqlite:///{tmp_path}/catalog.db",
        "STATE_DIR": str(tmp_path),
        "METRICS_PORT": str(port),
    }
    prepare(environment)
    consumer = Process("consumer", service("status-consumer"), environment, tmp_path / "log")
    consumer.start()

    def has_polled() -> bool:
        try:
            return any(name == "orders_consumer_lag" for name, *_ in scrape(port))
        except OSError:
            return False

    try:
        await_true(has_polled, "the consumer has its partitions")
        finding = found(port)["metrics"]
    finally:
        consumer.end()

    numbers = "0 steps failed since the start; 0 records unread"
    assert finding == Finding(Level.FINE, f"status-consumer on 127.0.0.1:{port}: {numbers}")
