"""Traces of orders on a real MariaDB and a real Kafka, many at the same time."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import Lab
from rig.databases import Databases
from rig.deployment import deployed
from rig.traces import Receiver
from rig.waiting import await_true
from tests.tracing.test_spans import trace, traceparent

pytestmark = [pytest.mark.real, pytest.mark.parametrize("databases", ["mariadb"], indirect=True)]

ORDER = {"productId": "CATALOG-001", "qty": 1, "unitPrice": 1}
COUNT, SPANS = 20, 6


def test_each_order_of_a_crowd_has_one_trace(
    lab: Lab, databases: Databases, receiver: Receiver, tmp_path: Path
) -> None:
    tracing = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_TRACES_SAMPLER_ARG": "0"}
    with deployed(lab, databases, tmp_path, **tracing) as deployment:

        def place(number: int) -> int:
            headers = {"traceparent": traceparent(number)}
            return deployment.api.post("/order-service/kim/orders", json=ORDER, headers=headers).status_code

        with ThreadPoolExecutor(COUNT) as crowd:
            statuses = list(crowd.map(place, range(1, COUNT + 1)))
        deployment.await_answers("kim")
        await_true(lambda: len(receiver.spans) >= COUNT * SPANS, "the spans are there")

    requests = {span.trace_id: span.span_id for span in receiver.spans if span.kind == "SERVER"}
    assert statuses == [201] * COUNT
    assert set(requests) == {trace(number) for number in range(1, COUNT + 1)}
    for trace_id, request in requests.items():
        spans = receiver.of(trace_id)
        assert len({span.process for span in spans}) == 5
        assert len(spans) == SPANS
        assert {span.parent_id for span in spans if span.span_id != request} == {request}
        assert all(set(span.links) < set(requests.values()) - {request} for span in spans)
    grouped = [span for span in receiver.spans if span.attributes.get("messaging.batch.message_count", 1) > 1]
    assert all(span.links for span in grouped)
    systems = {
        span.attributes.get("messaging.system", span.attributes.get("db.system.name")) for span in grouped
    }
    assert systems <= {"kafka", "mariadb"}
