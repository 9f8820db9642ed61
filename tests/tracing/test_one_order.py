"""The trace of an order through the five processes, as a receiver gets it."""

import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab import Ports
from orders_service.broker_client import broker
from orders_service.contract import wire
from orders_service.processes import PROCESSES
from orders_service.settings import Settings
from rig.customers import answers
from rig.embedded import prepare
from rig.processes import Process, service
from rig.traces import Receiver, receiving
from rig.waiting import await_true

pytestmark = pytest.mark.long

COMMANDS = [process.command for process in PROCESSES]
TRACE, CLIENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
ORDERS = "/order-service/kim/orders"
ORDER = {"productId": "CATALOG-001", "qty": 1, "unitPrice": 1}
# A span of each kind that an order has: its process, name and kind.
SPANS = {
    ("api", "POST /order-service/{userId}/orders", "SERVER"),
    ("api", "group commit", "INTERNAL"),
    ("orders-relay", "send example-catalog-topic", "PRODUCER"),
    ("stock-consumer", "process example-catalog-topic", "CONSUMER"),
    ("catalog-relay", "send example-stock-topic", "PRODUCER"),
    ("status-consumer", "process example-stock-topic", "CONSUMER"),
}


@dataclass
class Running:
    """Processes of the service in *folder*, on embedded databases and an embedded log."""

    folder: Path
    environment: dict[str, str]
    processes: dict[str, Process]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.environment['API_PORT']}"

    def place(self, traceparent: str | None = None) -> str:
        """Place an order, and wait until it is confirmed; its path."""
        headers = {} if traceparent is None else {"traceparent": traceparent}
        response = httpx.post(self.url + ORDERS, json=ORDER, headers=headers)
        assert response.status_code == 201, response.text
        path = response.headers["Location"]
        await_true(lambda: self.order(path)["status"] == "CONFIRMED", "the order is confirmed")
        return str(path)

    def order(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(self.url + path).json()
        return found

    def traceparents(self) -> set[str | None]:
        """The `traceparent` of each record of the log."""
        settings = Settings.read(self.environment)
        reader = broker(settings).read([settings.catalog_topic, settings.stock_topic], from_start=True)
        with closing(reader):
            return {wire.header(record.headers, "traceparent") for record in reader.poll(seconds=1)}

    def stop(self) -> dict[str, int]:
        """Stop all processes at the same time; their exit codes."""
        for process in self.processes.values():
            process.handle.terminate()
        return {name: process.wait(10) for name, process in self.processes.items()}


@contextmanager
def running(folder: Path, *commands: str, **settings: str) -> Iterator[Running]:
    """Processes of the service, ready."""
    environment = {"STATE_DIR": str(folder), "API_PORT": str(Ports.free().connect), "API_WORKERS": "1"}
    environment |= settings
    prepare(environment)
    processes = {name: Process(name, service(name), environment, folder / f"{name}.log") for name in commands}
    found = Running(folder, environment, processes)
    with ExitStack() as stack:
        for process in processes.values():
            stack.callback(process.end)
            process.start()
        await_true(lambda: answers(found.url, "/readyz"), "it is ready", log=processes[commands[0]].log)
        yield found


def test_one_order_is_one_trace_through_five_processes(receiver: Receiver, tmp_path: Path) -> None:
    tracing = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_TRACES_SAMPLER_ARG": "0"}
    with running(tmp_path, *COMMANDS, **tracing) as service:
        service.place(f"00-{TRACE}-{CLIENT}-01")
        service.place(f"00-{TRACE}-{CLIENT}-00")
        service.place()
        await_true(lambda: len(receiver.spans) >= len(SPANS), "the spans are there")
        traceparents = service.traceparents()
        codes = service.stop()

    assert codes == dict.fromkeys(COMMANDS, 0)
    assert sorted((span.process, span.name, span.kind) for span in receiver.spans) == sorted(SPANS)
    assert {span.trace_id for span in receiver.spans} == {TRACE}
    (request,) = [span for span in receiver.spans if span.kind == "SERVER"]
    assert request.parent_id == CLIENT
    assert {span.parent_id for span in receiver.spans if span is not request} == {request.span_id}
    assert {span.links for span in receiver.spans} == {()}
    assert traceparents == {f"00-{TRACE}-{request.span_id}-01", f"00-{TRACE}-{CLIENT}-00", None}


def test_run_sends_the_same_spans_from_one_process(receiver: Receiver, tmp_path: Path) -> None:
    tracing = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_TRACES_SAMPLER_ARG": "1"}
    with running(tmp_path, "run", **tracing, OTEL_SERVICE_NAME="shop") as service:
        path = service.place()
        codes = service.stop()

    order_id = path.rpartition("/")[2]
    (request,) = [span for span in receiver.spans if span.attributes.get("orders.order.id") == order_id]
    spans = receiver.of(request.trace_id)
    assert codes == {"run": 0}
    assert {("run", name, kind) for _, name, kind in SPANS} == {
        (span.process, span.name, span.kind) for span in spans
    }
    assert {span.service for span in spans} == {"shop"}
    assert request.parent_id == ""


@contextmanager
def receiver_that(answer: str) -> Iterator[str]:
    """The URL of a receiver that is down, that hangs, or that refuses every request."""
    if answer == "refuses":
        with receiving() as receiver:
            yield f"{receiver.url}/elsewhere"
        return
    with socket.create_server(("127.0.0.1", 0)) as listener:
        if answer == "is down":
            listener.close()
            yield f"http://127.0.0.1:{Ports.free().connect}"
        else:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("commands", [COMMANDS, ["run"]], ids=["processes", "run"])
@pytest.mark.parametrize("answer", ["is down", "hangs", "refuses"])
def test_a_receiver_that_fails_stops_no_order_and_no_process(
    tmp_path: Path, answer: str, commands: list[str]
) -> None:
    with receiver_that(answer) as url:
        tracing = {"OTEL_EXPORTER_OTLP_ENDPOINT": url, "OTEL_TRACES_SAMPLER_ARG": "1"}
        with running(tmp_path, *commands, **tracing) as service:
            service.place()
            codes = service.stop()

    logs = "".join(process.log.read_text() for process in service.processes.values())
    assert codes == dict.fromkeys(commands, 0)
    assert "Traceback" not in logs
    assert "opentelemetry" not in logs
    assert 0 < len(re.findall("Cannot send traces to|The last traces are lost", logs)) <= 2 * len(commands)
    reasons = {"is down": "Connection refused", "refuses": "404", "hangs": "did not answer within"}
    assert reasons[answer] in logs
