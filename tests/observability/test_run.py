"""The metrics of `orders-service run`: one process with the API, on its other worker, and all workers."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from lab.ports import free_ports
from rig.customers import answers
from rig.processes import Process, service
from rig.prometheus import said
from rig.waiting import await_true
from tests.metrics.kit import get

pytestmark = [pytest.mark.real, pytest.mark.usefixtures("programs")]


@pytest.fixture
def text(tmp_path: Path) -> Iterator[str]:
    """The metrics of a `run` that has confirmed an order."""
    port, metrics = free_ports(2)
    settings = {"API_PORT": str(port), "METRICS_PORT": str(metrics), "STATE_DIR": str(tmp_path / "state")}
    process = Process("run", service("run"), settings, tmp_path / "run.log")
    url = f"http://127.0.0.1:{port}"
    try:
        process.start(lambda: answers(url, "/readyz"))
        body = {"productId": "CATALOG-001", "qty": 1, "unitPrice": 1}
        assert httpx.post(f"{url}/order-service/ann/orders", json=body).status_code == 201
        await_true(
            lambda: 'orders_answered_total{reason="",status="CONFIRMED"} 1.0' in get(metrics, "/metrics")[1],
            "the order is answered",
            log=process.log,
        )
        yield get(metrics, "/metrics")[1]
    finally:
        process.end()


def test_promtool_finds_nothing_to_say_about_the_metrics_of_run(text: str) -> None:
    code, output = said("promtool", "check", "metrics", text=text)

    assert (code, output) == (0, "")


def test_run_has_the_metrics_of_every_process(text: str) -> None:
    families = ("orders_http_requests_total", "orders_relay_events_total", "orders_consumer_records_total")

    assert [name for name in (*families, "orders_outbox_pending_events") if f"\n{name}{{" not in text] == []
