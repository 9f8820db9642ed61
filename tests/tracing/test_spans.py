"""The spans of orders that are handled together, in one process."""

import pytest

from orders_service import tracing
from orders_service.contract import wire
from orders_service.events.brokers.port import Outgoing
from orders_service.tracing.recording import Recorder
from orders_service.tracing.spans import LINKS
from rig.traces import Receiver, Span
from tests.flow_kit import BERLIN, Flow

pytestmark = pytest.mark.parametrize("databases", ["sqlite"], indirect=True)

ORDER = {"productId": BERLIN, "qty": 1, "unitPrice": 1500}


def trace(number: int) -> str:
    """A trace id."""
    return f"{number:032x}"


def traceparent(number: int) -> str:
    """The `traceparent` of a client that wants to be traced."""
    return f"00-{trace(number)}-{number:016x}-01"


def finished(receiver: Receiver) -> dict[str, list[Span]]:
    """All spans, by the first word of their names."""
    tracing.close()
    found: dict[str, list[Span]] = {}
    for span in receiver.spans:
        found.setdefault(span.name.partition(" ")[0], []).append(span)
    return found


def place(flow: Flow, number: int) -> str:
    """Place an order that is traced; its id."""
    headers = {"traceparent": traceparent(number)}
    response = flow.api.post("/order-service/kim/orders", json=ORDER, headers=headers)
    assert response.status_code == 201, response.text
    return str(response.get_json()["orderId"])


def test_orders_of_one_batch_have_spans_of_their_own_with_links(
    flow: Flow, recorder: Recorder, receiver: Receiver
) -> None:
    orders = [place(flow, number) for number in range(1, 13)]
    flow.place()

    flow.run()

    spans = finished(receiver)
    requests = {span.trace_id: span for span in spans["POST"]}
    assert set(requests) == {trace(number) for number in range(1, 13)}
    assert {span.attributes["orders.order.id"] for span in requests.values()} == set(orders)
    sent = [span for span in spans["send"] if span.name == f"send {flow.settings.catalog_topic}"]
    assert len(sent) == 12
    for span in sent:
        assert span.parent_id == requests[span.trace_id].span_id
        assert span.attributes["messaging.batch.message_count"] == 13
        assert len(set(span.links)) == LINKS
        assert span.parent_id not in span.links
        assert set(span.links) <= {request.span_id for request in requests.values()}


def test_a_batch_of_orders_is_one_request_with_one_group_commit(
    flow: Flow, recorder: Recorder, receiver: Receiver
) -> None:
    response = flow.api.post(
        "/order-service/kim/orders/batch",
        json={"orders": [ORDER] * 7},
        headers={"traceparent": traceparent(1)},
    )
    flow.run()

    spans = finished(receiver)
    assert response.status_code == 200
    assert [span.attributes["db.operation.batch.size"] for span in spans["group"]] == [7]
    assert len(spans["process"]) == 14
    assert {span.links for each in spans.values() for span in each} == {()}


def test_a_cancellation_has_a_trace_of_its_own(flow: Flow, recorder: Recorder, receiver: Receiver) -> None:
    order = flow.place()
    flow.run()

    flow.api.post(f"/order-service/kim/orders/{order}/cancel", headers={"traceparent": traceparent(5)})
    flow.run()

    spans = finished(receiver)
    (request,) = spans["POST"]
    assert request.attributes["http.route"].endswith("/cancel")
    assert {span.trace_id for each in spans.values() for span in each} == {trace(5)}
    assert [span.parent_id for span in spans["process"]] == [request.span_id]


def test_a_dead_letter_is_an_error(flow: Flow, recorder: Recorder, receiver: Receiver) -> None:
    headers = (("ce_type", b"order.placed.v1"), ("traceparent", traceparent(3).encode()))
    unreadable = Outgoing(flow.settings.catalog_topic, b"key", b"{", headers)

    flow.send([unreadable])
    place(flow, 4)
    flow.run()

    (letter,) = flow.dead_letters()
    spans = {span.trace_id: span for span in finished(receiver)["process"]}
    dead, applied = spans[trace(3)], spans[trace(4)]
    assert (dead.failed, dead.attributes["error.type"]) == (True, letter.reason)
    assert dead.attributes["messaging.kafka.offset"] == letter.offset
    assert (applied.failed, applied.attributes.get("error.type")) == (False, None)


def test_the_records_of_orders_that_are_not_traced_are_as_without_tracing(
    flow: Flow, recorder: Recorder, receiver: Receiver
) -> None:
    sent = f"00-{trace(7)}-{7:016x}-00"
    flow.api.post("/order-service/kim/orders", json=ORDER, headers={"traceparent": sent})
    flow.place()

    flow.run()

    assert {wire.header(record.headers, "traceparent") for record in flow.records()} == {sent, None}
    assert finished(receiver) == {}


def test_a_failed_request_is_an_error_and_one_without_a_route_has_no_name_from_outside(
    flow: Flow, recorder: Recorder, receiver: Receiver
) -> None:
    headers = {"traceparent": traceparent(1)}
    flow.sql("orders", "DROP TABLE orders")

    flow.api.get("/order-service/kim/orders", headers=headers)
    flow.api.open("/x/y/z", method="BREW\x1b", headers=headers)

    failed, unknown = receiver_spans(receiver)
    assert (failed.name, failed.failed) == ("GET /order-service/{userId}/orders", True)
    assert failed.attributes["error.type"] == str(failed.attributes["http.response.status_code"])
    assert (unknown.name, unknown.attributes["http.response.status_code"]) == ("_OTHER", 404)


def receiver_spans(receiver: Receiver) -> list[Span]:
    """All spans in the order in which they ended."""
    tracing.close()
    return receiver.spans
