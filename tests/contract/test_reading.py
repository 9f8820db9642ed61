"""Reading a record: as one of our events, as nobody's, or as a dead letter. Nothing else can come of it."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders_service.contract import wire
from orders_service.contract.errors import Invalid, Unreadable
from orders_service.contract.events import (
    Event,
    InvalidOrder,
    OrderCancelled,
    OrderPlaced,
    StockRejected,
    StockReserved,
)
from orders_service.contract.fields import UNPRINTABLE
from orders_service.contract.limits import INT_MAX
from orders_service.contract.reading import read_event
from tests.flow_kit import BERLIN

COURSE = {"productId": BERLIN, "qty": 1, "unitPrice": 1500, "totalPrice": 1500, "orderId": "o", "userId": "u"}
STOCK = {"orderId": "o", "productId": BERLIN, "qty": 1, "reason": "discarded"}
TYPES = ("order.placed.v1", "order.cancelled.v1", "stock.reserved.v1", "stock.rejected.v1")


def placed(*, with_total: bool, **facts: Any) -> OrderPlaced:
    """An order whose total, if it has one, is right and fits."""
    total = facts["qty"] * (facts["unit_price"] or 0)
    fits = with_total and facts["unit_price"] is not None and total <= INT_MAX
    return OrderPlaced(**facts, total_price=total if fits else None)


printable = st.characters(exclude_categories=["Cs", "Cc"])
texts = st.text(printable, min_size=1, max_size=120)
wholes = st.integers(1, INT_MAX)
facts = {"order_id": texts, "product_id": texts, "qty": wholes}
prices = st.none() | st.integers(0, INT_MAX)
events: st.SearchStrategy[Event] = st.one_of(
    st.builds(placed, **facts, unit_price=prices, with_total=st.booleans(), user_id=st.none() | texts),
    st.builds(OrderCancelled, **facts, unit_price=prices, total_price=prices, user_id=st.none() | texts),
    st.builds(StockReserved, **facts),
    st.builds(
        StockRejected,
        **facts,
        reason=st.text(printable, min_size=1, max_size=64),
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
    event = read_event(None, written())

    assert event == OrderPlaced(
        order_id="o", product_id=BERLIN, qty=1, unit_price=1500, total_price=1500, user_id="u"
    )


def test_a_negative_qty_without_headers_is_an_order_cancelled() -> None:
    event = read_event(None, written(qty=-3))

    assert event == OrderCancelled(
        order_id="o", product_id=BERLIN, qty=3, unit_price=1500, total_price=1500, user_id="u"
    )


def test_three_fields_are_enough() -> None:
    event = read_event(None, b'{"productId":"CATALOG-001","qty":1,"orderId":"o"}')

    assert event == OrderPlaced(order_id="o", product_id=BERLIN, qty=1)


def test_a_rejection_of_no_pieces_is_read() -> None:
    event = read_event("stock.rejected.v1", json.dumps(STOCK | {"qty": 0}).encode())

    assert event == StockRejected(order_id="o", product_id=BERLIN, qty=0, reason="discarded")


def test_extra_keys_are_ignored() -> None:
    event = read_event(None, written(colour="red", nested={"qty": -1}, createdAt=None))

    assert event == read_event(None, written())


@pytest.mark.parametrize("sign", [1, -1], ids=["placed", "cancelled"])
def test_what_no_decision_rests_on_may_be_wrong(sign: int) -> None:
    event = read_event(None, written(qty=sign, userId=5, totalPrice="x"))

    assert isinstance(event, OrderPlaced if sign > 0 else OrderCancelled)
    assert not isinstance(event, InvalidOrder)
    assert (event.user_id, event.total_price) == (None, None)


def test_the_trace_is_kept_with_the_event() -> None:
    event = read_event("order.placed.v1", written(), "00-trace")

    assert event is not None
    assert event.traceparent == "00-trace"


@pytest.mark.parametrize(
    "type_",
    ["", "x", "orders.sink.v1", "order.shipped.v1", "order.placed", "Order.Placed.v1", "order.placed.v1.x"],
)
def test_a_type_that_is_not_ours_is_nobodys(type_: str) -> None:
    assert read_event(type_, b"\xff") is None


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("version", ["v0", "v2", "v10", "V1", "", "v1 "])
def test_another_version_of_ours_is_unreadable(type_: str, version: str) -> None:
    with pytest.raises(Unreadable, match="version"):
        read_event(type_.removesuffix("v1") + version, written())


@pytest.mark.parametrize(("type_", "sign"), [("order.cancelled.v1", 1), ("stock.reserved.v1", -1)])
def test_a_type_decides_the_sign_of_its_qty(type_: str, sign: int) -> None:
    with pytest.raises(Invalid, match="qty"):
        read_event(type_, written(qty=sign))


@pytest.mark.parametrize("type_", [None, *TYPES])
def test_an_order_id_that_is_missing_is_named_and_may_be_our_fault(type_: str | None) -> None:
    with pytest.raises(Unreadable, match=r"^orderId: is missing") as raised:
        read_event(type_, written(orderId=...))

    assert raised.value.may_be_our_fault  # The records may have another shape than this version knows.


@pytest.mark.parametrize(
    ("type_", "name"),
    [
        (None, "productId"),
        *((type_, "productId") for type_ in TYPES),
        *((type_, "qty") for type_ in TYPES[1:]),
        ("stock.rejected.v1", "reason"),
    ],
)
def test_another_member_that_is_missing_says_nothing_about_us(type_: str | None, name: str) -> None:
    qty = -1 if type_ == "order.cancelled.v1" else 1
    value = {k: v for k, v in (COURSE | STOCK | {"qty": qty}).items() if k != name}

    with pytest.raises(Invalid, match=f"^{name}: is missing") as raised:
        read_event(type_, json.dumps(value).encode())

    assert not raised.value.may_be_our_fault


LONG = "9" * 5000


@pytest.mark.parametrize("type_", [None, "order.placed.v1"])
@pytest.mark.parametrize("name", ["qty", "unitPrice", "totalPrice"])
@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", LONG, "1e999"], ids=lambda n: n[:10])
def test_a_number_that_no_field_can_hold_is_a_wrong_value(type_: str | None, name: str, number: str) -> None:
    event = read_event(type_, written(**{name: "<number>"}).replace(b'"<number>"', number.encode()))

    # Nothing depends on a total that is not an integer.
    assert isinstance(event, InvalidOrder) == (name != "totalPrice" or number == LONG)
    assert isinstance(event, OrderPlaced)
    assert (event.order_id, event.product_id) == ("o", BERLIN)


def test_a_long_negative_qty_is_still_a_cancellation() -> None:
    with pytest.raises(Invalid, match=r"^qty: must be"):
        read_event(None, written(qty="<number>").replace(b'"<number>"', b"-" + LONG.encode()))


def test_an_extra_member_may_be_any_number() -> None:
    value = written(weight="<number>")

    for number in (b"NaN", LONG.encode()):
        assert read_event(None, value.replace(b'"<number>"', number)) == read_event(None, written())


@pytest.mark.parametrize("name", ["productId", "orderId"])
@pytest.mark.parametrize(
    "value", [None, True, [], {}, 1.5, "", "x" * 256, 0, "a\n", "\x1b[2J", "\x9b"], ids=ascii
)
def test_an_id_that_cannot_be_one_is_named_and_says_nothing_about_us(name: str, value: object) -> None:
    with pytest.raises(Invalid, match=f"^{name}: ") as raised:
        read_event(None, written(**{name: value}))

    assert not raised.value.may_be_our_fault


WRONG: dict[str, list[Any]] = {
    "qty": [..., None, True, [], {}, 1.5, 1e308, "", "1", 0, 2**31, 10**20],
    "unitPrice": [-1, 2**31, 1.5, "1500", True, []],
    "totalPrice": [0, 1501, -1500, 2**31],
}


@pytest.mark.parametrize("type_", [None, "order.placed.v1"])
@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values], ids=ascii
)
def test_an_order_with_a_wrong_value_is_told_from_a_good_one(
    type_: str | None, name: str, value: object
) -> None:
    event = read_event(type_, written(**{name: value}))

    assert isinstance(event, InvalidOrder)
    assert (event.order_id, event.product_id, event.qty) == ("o", BERLIN, 0 if name == "qty" else 1)
    assert event.problem.startswith(f"{name}: ")


def test_a_placed_order_of_less_than_nothing_is_wrong() -> None:
    assert isinstance(read_event("order.placed.v1", written(qty=-1)), InvalidOrder)


@pytest.mark.parametrize("value", [-1, 2**31, "1500"], ids=str)
def test_a_cancellation_does_not_depend_on_prices(value: object) -> None:
    event = read_event(None, written(qty=-1, unitPrice=value, totalPrice=7))

    assert isinstance(event, OrderCancelled)
    assert event.unit_price is None


def test_a_tombstone_says_nothing_about_us() -> None:
    with pytest.raises(Invalid, match="tombstone"):
        read_event(None, None)


@pytest.mark.parametrize("name", ["productId", "orderId"])
def test_half_a_character_is_unreadable(name: str) -> None:
    with pytest.raises(Unreadable, match=name):
        read_event(None, written(**{name: "\ud800"}))


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
        b'{"qty":nan,"productId":"x","orderId":"o"}',
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
        read_event(None, value)


@given(events)
def test_an_event_is_read_as_it_was_written(event: Event) -> None:
    value = json.dumps(event.data(), ensure_ascii=False, separators=(",", ":")).encode()

    again = read_event(event.type, value)

    assert again == event


@given(events)
def test_an_order_event_is_the_same_without_its_headers(event: Event) -> None:
    value = json.dumps(event.data()).encode()

    assert not isinstance(event, OrderPlaced | OrderCancelled) or read_event(None, value) == read_event(
        event.type, value
    )


@given(types, values)
def test_anything_is_an_event_or_nobodys_or_unreadable(type_: str | None, value: bytes | None) -> None:
    try:
        event = read_event(type_, value)
    except Unreadable:
        return

    assert event is None or event.type == (type_ or event.type)
    assert event is None or not UNPRINTABLE.search(event.order_id + event.product_id)


@given(st.lists(st.tuples(st.text(), st.none() | st.binary())))
def test_any_headers_can_be_read(headers: list[tuple[str, bytes | None]]) -> None:
    assert set(wire.headers_by_name(headers)) == {name for name, value in headers if value}


@pytest.mark.parametrize("nothing", [None, b""], ids=["null", "empty"])
def test_a_header_without_a_value_is_none(nothing: bytes | None) -> None:
    assert wire.header((("ce_type", nothing),), "ce_type") is None
    assert wire.header((("ce_type", b"x"), ("ce_type", nothing)), "ce_type") == "x"
    assert wire.headers_by_name((("ce_type", nothing), ("ce_id", b"1"))) == {"ce_id": "1"}


def test_of_headers_of_one_name_the_last_counts() -> None:
    assert wire.header((("ce_type", b"x"), ("ce_type", b"y")), "ce_type") == "y"


@given(st.text())
def test_only_a_trace_context_is_one(text: str) -> None:
    assert wire.traceparent_or_none(text) is None or len(text) == 55
