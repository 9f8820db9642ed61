"""Records as others rely on them, to the byte. A change here is a change of the contract."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orders_service.broker_client import topic_spec
from orders_service.contract.events import Event, OrderCancelled, OrderPlaced, StockRejected, StockReserved
from orders_service.contract.sink import SinkRecord
from orders_service.contract.topics import Topics
from orders_service.events.brokers.port import Record
from orders_service.orders import service
from rig.databases import Databases
from tests.flow_kit import BERLIN, Flow

CATALOG_TOPIC, STOCK_TOPIC, SINK = "example-catalog-topic", "example-stock-topic", "orders"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
KIMS_K = "753f3baa-4fca-57aa-b762-ef19f05a7a66"
HEADERS = ["ce_id", "ce_source", "ce_specversion", "ce_type", "ce_time", "ce_subject", "content-type"]
ROW = (
    '{"schema":{"type":"struct","fields":['
    '{"type":"string","optional":true,"field":"order_id"},'
    '{"type":"string","optional":true,"field":"user_id"},'
    '{"type":"string","optional":true,"field":"product_id"},'
    '{"type":"int32","optional":true,"field":"qty"},'
    '{"type":"int32","optional":true,"field":"unit_price"},'
    '{"type":"int32","optional":true,"field":"total_price"}],'
    '"optional":false,"name":"orders"},'
    '"payload":{"order_id":"<id>","user_id":"kim","product_id":"CATALOG-001","qty":5,"unit_price":1500,'
    '"total_price":7500}}'
)
IDS = {
    OrderPlaced.type: "60f319ac-971c-5f1b-98bb-52109be86ce1",
    OrderCancelled.type: "49e2ec18-1073-5535-b31a-3adaf1df6219",
    SinkRecord.type: "0e0022b2-9ace-53d9-8a7d-3c59835f685c",
    StockReserved.type: "d9527684-8476-5fce-ab3c-b8923c0f92db",
    StockRejected.type: "51ada7d6-6c6c-5821-90e6-c5d5f1e1e3d4",
}
EVENTS: dict[str, Callable[..., Event]] = {
    event.type: event for event in (OrderPlaced, OrderCancelled, SinkRecord, StockReserved, StockRejected)
}


@pytest.fixture
def sink_flow(databases: Databases, tmp_path: Path) -> Iterator[Flow]:
    """The flow with a topic for the sink of the `orders` table."""
    flow = Flow(databases, tmp_path, ORDERS_SINK_TOPIC=SINK)
    flow.log.create_topics([SINK], topic_spec(flow.settings))
    yield flow
    flow.close()


def headers(record: Record) -> dict[str, str]:
    """The record's headers; none comes twice."""
    assert len(dict(record.headers)) == len(record.headers)
    return {name: (value or b"").decode() for name, value in record.headers}


def test_order_placed(flow: Flow) -> None:
    order_id = flow.place(BERLIN, 2)
    flow.run()

    (record,) = flow.records(CATALOG_TOPIC)
    assert record.key == b"CATALOG-001"
    assert (
        record.value
        == (
            '{"productId":"CATALOG-001","qty":2,"unitPrice":1500,"totalPrice":3000,'
            f'"orderId":"{order_id}","userId":"kim"}}'
        ).encode()
    )
    assert headers(record) == {
        "ce_id": OrderPlaced(order_id=order_id, product_id="", qty=1).id,
        "ce_source": "/order-service",
        "ce_specversion": "1.0",
        "ce_type": "order.placed.v1",
        "ce_time": flow.outbox()[0].time,
        "ce_subject": order_id,
        "content-type": "application/json",
    }


def test_order_cancelled_is_the_same_with_its_qty_negated(flow: Flow) -> None:
    order_id = flow.place(BERLIN, 2)
    flow.cancel(order_id)
    flow.run()

    placed, cancelled = flow.records(CATALOG_TOPIC)
    assert cancelled.value == (placed.value or b"").replace(b'"qty":2', b'"qty":-2')
    assert (cancelled.key, cancelled.partition) == (placed.key, placed.partition)
    assert headers(cancelled)["ce_type"] == "order.cancelled.v1"
    assert headers(cancelled)["ce_subject"] == order_id


def test_stock_reserved(flow: Flow) -> None:
    order_id = flow.place(BERLIN, 2)
    flow.run()

    (record,) = flow.records(STOCK_TOPIC)
    assert record.key == order_id.encode()
    assert record.value == f'{{"orderId":"{order_id}","productId":"CATALOG-001","qty":2}}'.encode()
    assert headers(record) == {
        "ce_id": StockReserved(order_id=order_id, product_id="", qty=1).id,
        "ce_source": "/catalog-service",
        "ce_specversion": "1.0",
        "ce_type": "stock.reserved.v1",
        "ce_time": flow.outbox("catalog")[0].time,
        "ce_subject": order_id,
        "content-type": "application/json",
    }


@pytest.mark.parametrize(
    ("product", "reason"), [(BERLIN, "insufficient-stock"), ("CATALOG-004", "unknown-product")]
)
def test_stock_rejected(flow: Flow, product: str, reason: str) -> None:
    order_id = flow.place(product, 101)
    flow.run()

    (record,) = flow.records(STOCK_TOPIC)
    assert record.key == order_id.encode()
    assert record.value == (
        f'{{"orderId":"{order_id}","productId":"{product}","qty":101,"reason":"{reason}"}}'.encode()
    )
    assert headers(record)["ce_type"] == "stock.rejected.v1"
    assert headers(record)["ce_source"] == "/catalog-service"


def test_the_sink_record_is_the_courses(sink_flow: Flow) -> None:
    order_id = sink_flow.place(BERLIN, 5)
    sink_flow.run()

    (record,) = sink_flow.records(SINK)
    assert record.key == order_id.encode()
    assert record.value == ROW.replace("<id>", order_id).encode()
    assert list(headers(record)) == HEADERS
    assert headers(record)["ce_type"] == "orders.sink.v1"


def test_a_sink_hears_of_an_order_once_and_changes_nothing_else(sink_flow: Flow) -> None:
    order_id = sink_flow.place(BERLIN, 5)
    sink_flow.cancel(order_id)
    sink_flow.run()

    assert len(sink_flow.records(SINK)) == 1
    assert len(sink_flow.records(CATALOG_TOPIC)) == 2
    assert sink_flow.stock(BERLIN) == 100


def test_headers_come_in_one_order_and_the_trace_last_if_there_is_one(flow: Flow) -> None:
    flow.place()
    flow.api.post(
        "/order-service/kim/orders",
        json={"productId": BERLIN, "qty": 1, "unitPrice": 1},
        headers={"traceparent": TRACE},
    )
    flow.run()

    for topic in (CATALOG_TOPIC, STOCK_TOPIC):
        names = sorted((list(headers(record)) for record in flow.records(topic)), key=len)
        assert names == [HEADERS, [*HEADERS, "traceparent"]]
        assert {headers(record).get("traceparent") for record in flow.records(topic)} == {None, TRACE}


def test_the_time_of_an_event_is_rfc_3339_in_utc(flow: Flow) -> None:
    flow.place()
    flow.run()

    times = [headers(record)["ce_time"] for record in flow.records()]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", time) for time in times)
    assert len(times) == 2


def test_text_travels_as_it_is_in_utf_8(flow: Flow) -> None:
    flow.place('서울 "😀"\\/')
    flow.run()

    (record,) = flow.records(CATALOG_TOPIC)
    assert record.key == '서울 "😀"\\/'.encode()
    assert r'"productId":"서울 \"😀\"\\/",'.encode() in (record.value or b"")


@pytest.mark.parametrize("type_", IDS)
def test_the_id_of_an_event_is_derived_from_its_type_and_order_alone(type_: str) -> None:
    facts = (
        {"order_id": "berlin-1", "reason": "x"} if type_ == StockRejected.type else {"order_id": "berlin-1"}
    )

    one, other = (EVENTS[type_](product_id=product, qty=1, **facts) for product in (BERLIN, "x"))

    assert one.id == other.id == IDS[type_]


def test_the_id_of_a_keyed_order_is_derived_from_user_and_key() -> None:
    assert service.new_order_id("kim", "k") == KIMS_K


def test_topics_are_named_as_in_the_course() -> None:
    assert Topics().names == (CATALOG_TOPIC, STOCK_TOPIC)
