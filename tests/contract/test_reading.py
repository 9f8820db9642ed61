"""Reading a record: as one of our events, as nobody's, or as a dead letter. Nothing else can come of it."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders_service.events import envelope
from orders_service.events.contract import (
    INT_MAX,
    Event,
    OrderCancelled,
    OrderPlaced,
    StockRejected,
    StockReserved,
    read,
)
from orders_service.events.errors import Unreadable
from tests.flow_kit import BERLIN

COURSE = {"productId": BERLIN, "qty": 1, "unitPrice": 1500, "totalPrice": 1500, "orderId": "o", "userId": "u"}
STOCK = {"orderId": "o", "productId": BERLIN, "qty": 1, "reason": "discarded"}
TYPES = ("order.placed.v1", "order.cancelled.v1", "stock.reserved.v1", "stock.rejected.v1")

texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=120)
wholes = st.integers(1, INT_MAX)
facts = {"order_id": texts, "product_id": texts, "qty": wholes}
prices = st.none() | st.integers(0, INT_MAX)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(OrderPlaced, **facts, unit_price=prices, total_price=prices, user_id=st.none() | texts),
    st.builds(OrderCancelled, **facts, unit_price=prices, total_price=prices, user_id=st.none() | texts),
    st.builds(StockReserved, **facts),
    st.builds(
        StockRejected,
        **facts,
        reason=st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=64),
    ),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda v: st.lists(v, max_size=3),
    max_leaves=5,
)
names = st.sampled_from([*STOCK, "unitPrice", "totalPrice", "userId"]) | st.text()
types = st.none() | st.sampled_from([*TYPES, "orders.sink.v1", "order.placed.v2", ""]) | st.text()
values = (
    st.none()
    | st.binary()
    | st.dictionaries(names, json_values).map(lambda value: json.dumps(value).encode())
    | st.builds(lambda changed: json.dumps(STOCK | changed).encode(), st.dictionaries(names, json_values))
)


def written(**fields: Any) -> bytes:
    """The course's value, with *fields* changed; those that are `...` are left out."""
    return json.dumps({k: v for k, v in (COURSE | fields).items() if v is not ...}).encode()


def test_a_record_without_headers_is_an_order_placed() -> None:
    event = read(None, written())

    assert event == OrderPlaced(order_id="o", product_id=BERLIN, qty=1, unit_price=1500)


def test_a_negative_qty_without_headers_is_an_order_cancelled() -> None:
    event = read(None, written(qty=-3))

    assert event == OrderCancelled(order_id="o", product_id=BERLIN, qty=3, unit_price=1500)


def test_three_fields_are_enough() -> None:
    event = read(None, b'{"productId":"CATALOG-001","qty":1,"orderId":"o"}')

    assert event == OrderPlaced(order_id="o", product_id=BERLIN, qty=1)


def test_extra_keys_are_ignored() -> None:
    event = read(None, written(colour="red", nested={"qty": -1}, createdAt=None, userId=5, totalPrice="x"))

    assert event == read(None, written())


def test_the_trace_is_kept_with_the_event() -> None:
    event = read("order.placed.v1", written(), "00-trace")

    assert event is not None
    assert event.traceparent == "00-trace"


@pytest.mark.parametrize(
    "type_",
    ["", "x", "orders.sink.v1", "order.shipped.v1", "order.placed", "Order.Placed.v1", "order.placed.v1.x"],
)
def test_a_type_that_is_not_ours_is_nobodys(type_: str) -> None:
    assert read(type_, b"\xff") is None


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("version", ["v0", "v2", "v10", "V1", "", "v1 "])
def test_another_version_of_ours_is_unreadable(type_: str, version: str) -> None:
    with pytest.raises(Unreadable, match="version"):
        read(type_.removesuffix("v1") + version, written())


@pytest.mark.parametrize(
    ("type_", "sign"), [("order.placed.v1", -1), ("order.cancelled.v1", 1), ("stock.reserved.v1", -1)]
)
def test_a_type_decides_the_sign_of_its_qty(type_: str, sign: int) -> None:
    with pytest.raises(Unreadable, match="qty"):
        read(type_, written(qty=sign))


@pytest.mark.parametrize("name", ["productId", "qty", "orderId"])
@pytest.mark.parametrize("value", [..., None, True, [], {}, 1.5, "", "x" * 256, 0, 2**31, -(2**31)], ids=str)
def test_a_needed_field_that_is_missing_or_wrong_is_named(name: str, value: object) -> None:
    with pytest.raises(Unreadable, match=f"^{name}: "):
        read(None, written(**{name: value}))


@pytest.mark.parametrize("value", [-1, 2**31, 1.5, "1500", True, []], ids=str)
def test_a_unit_price_that_is_there_must_be_one(value: object) -> None:
    with pytest.raises(Unreadable, match=r"^unitPrice: "):
        read(None, written(unitPrice=value))


@pytest.mark.parametrize("name", ["productId", "orderId"])
def test_half_a_character_is_unreadable(name: str) -> None:
    with pytest.raises(Unreadable, match=name):
        read(None, written(**{name: "\ud800"}))


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b" ",
        b"null",
        b"[]",
        b'"text"',
        b"hello",
        b"{",
        b'{"qty":NaN,"productId":"x","orderId":"o"}',
        b'{"qty":1e400,"productId":"x","orderId":"o"}',
        b'{"qty":' + b"9" * 5000 + b',"productId":"x","orderId":"o"}',
        b"\xff",
        b"\xef\xbb\xbf" + written(),
        written().decode().encode("utf-16"),
        b"\x00\x00\x00\x00\x01" + written(),
        b"[" * 100_000,
        b'{"a":' * 100_000,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_what_is_no_json_object_is_unreadable(value: bytes | None) -> None:
    with pytest.raises(Unreadable):
        read(None, value)


@given(events)
def test_an_event_is_read_as_it_was_written(event: Event) -> None:
    value = json.dumps(event.data(), ensure_ascii=False, separators=(",", ":")).encode()

    again = read(event.type, value)

    if isinstance(event, OrderPlaced | OrderCancelled):  # The catalog has no use for the rest.
        assert again == replace(event, total_price=None, user_id=None)
    else:
        assert again == event


@given(events)
def test_an_order_event_is_the_same_without_its_headers(event: Event) -> None:
    value = json.dumps(event.data()).encode()

    assert not isinstance(event, OrderPlaced | OrderCancelled) or read(None, value) == read(event.type, value)


@given(types, values)
def test_anything_is_an_event_or_nobodys_or_unreadable(type_: str | None, value: bytes | None) -> None:
    try:
        event = read(type_, value)
    except Unreadable:
        return

    assert event is None or event.type == (type_ or event.type)


@given(st.lists(st.tuples(st.text(), st.none() | st.binary())))
def test_any_headers_can_be_read(headers: list[tuple[str, bytes | None]]) -> None:
    assert set(envelope.read(headers)) == {name for name, _ in headers}


@given(st.text())
def test_only_a_trace_context_is_one(text: str) -> None:
    assert envelope.valid_traceparent(text) is None or len(text) == 55
