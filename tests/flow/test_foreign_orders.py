"""Orders of other producers whose content is wrong: they are answered, and stop nobody."""

import json
from typing import Any

import pytest

from orders_service.events.breaker import IN_A_ROW
from orders_service.events.brokers.port import Outgoing
from tests.flow_kit import BERLIN, Flow

MORE_THAN_IN_A_ROW = IN_A_ROW + 2


def course(order_id: str, **fields: Any) -> bytes:
    """An order as the course's order-service writes it: flat JSON, no headers. `...` leaves a field out."""
    value = {"productId": BERLIN, "qty": 1, "unitPrice": 1500, "totalPrice": 1500, "userId": "kim"}
    value |= {"orderId": order_id} | fields
    return json.dumps({k: v for k, v in value.items() if v is not ...}).encode()


def with_qty(order_id: str, number: str) -> bytes:
    """An order with a `qty` that Python's `json` would not write."""
    return course(order_id, qty="<number>").replace(b'"<number>"', number.encode())


def send(flow: Flow, *values: bytes | None, headers: tuple[tuple[str, bytes | None], ...] = ()) -> None:
    """All to one partition."""
    flow.send([Outgoing(flow.settings.catalog_topic, b"same", value, headers) for value in values])


def answers(flow: Flow) -> dict[str, str]:
    """The reason of each answer, or "reserved", by order."""
    values = [json.loads(record.value or b"") for record in flow.records(flow.settings.stock_topic)]
    return {value["orderId"]: value.get("reason", "reserved") for value in values}


@pytest.mark.parametrize(
    "wrong",
    [
        {"qty": 0, "totalPrice": 0},
        {"qty": 2**31},
        {"qty": "3"},
        {"qty": None},
        {"qty": ..., "unitPrice": ..., "totalPrice": ..., "userId": ...},
        {"unitPrice": -1, "totalPrice": -1},
        {"totalPrice": 7},
    ],
    ids=str,
)
def test_orders_that_cannot_be_are_answered_and_stop_nobody(flow: Flow, wrong: dict[str, Any]) -> None:
    send(flow, *(course(f"bad-{n}", **wrong) for n in range(MORE_THAN_IN_A_ROW)), course("good"))

    flow.run()

    assert answers(flow) == {f"bad-{n}": "invalid-order" for n in range(MORE_THAN_IN_A_ROW)} | {
        "good": "reserved"
    }
    assert flow.dead_letters() == []
    assert flow.stock() == 99
    flow.assert_stock_adds_up()


@pytest.mark.parametrize("number", ["NaN", "-Infinity", "9" * 5000], ids=lambda number: number[:9])
def test_orders_of_an_impossible_number_are_answered_and_stop_nobody(flow: Flow, number: str) -> None:
    send(flow, *(with_qty(f"bad-{n}", number) for n in range(MORE_THAN_IN_A_ROW)), course("good"))

    flow.run()

    assert answers(flow) == {f"bad-{n}": "invalid-order" for n in range(MORE_THAN_IN_A_ROW)} | {
        "good": "reserved"
    }
    assert flow.dead_letters() == []


def test_an_order_that_cannot_be_is_answered_again_when_it_comes_again(flow: Flow) -> None:
    send(flow, course("bad", qty=0))
    flow.run()

    send(flow, course("bad", qty=0))
    flow.run()

    sent = [json.loads(record.value or b"") for record in flow.records(flow.settings.stock_topic)]
    # Not 0: the status-consumer of an earlier version, which may run meanwhile, needs at least 1.
    assert [(answer["reason"], answer["qty"]) for answer in sent] == [("invalid-order", 1)] * 2
    assert flow.dead_letters() == []


def test_the_answer_to_an_order_that_cannot_be_rejects_it(flow: Flow) -> None:
    order_id = flow.place()
    send(flow, course(order_id, qty=0))

    flow.stock_consumer.step()
    flow.run()

    assert (flow.status(order_id), flow.order(order_id)["reason"]) == ("REJECTED", "invalid-order")
    assert flow.stock() == 100


@pytest.mark.parametrize(
    "value",
    [
        course("bad", productId="x" * 121),
        course("bad", productId=""),
        course("bad", productId="a\x1b[2J"),
        course("bad", orderId="x" * 256),
        course("bad", productId=...),
        course("bad", qty=-(2**31)),
        with_qty("bad", "-" + "9" * 5000),
        None,
    ],
    ids=["long", "empty", "control", "long order", "no product", "by too much", "by digits", "tombstone"],
)
def test_what_cannot_be_answered_is_kept_and_stops_nobody(flow: Flow, value: bytes | None) -> None:
    send(flow, *[value] * MORE_THAN_IN_A_ROW, course("good"))

    flow.run()
    flow.restart_stock_consumer()
    send(flow, course("later"))
    flow.run()

    assert answers(flow) == {"good": "reserved", "later": "reserved"}
    assert [letter.reason for letter in flow.dead_letters()] == ["invalid"] * MORE_THAN_IN_A_ROW


def test_orders_placed_again_with_other_content_stop_nobody(flow: Flow) -> None:
    ids = [str(n) for n in range(MORE_THAN_IN_A_ROW)]
    send(flow, *map(course, ids))
    flow.run()

    send(flow, *(course(n, qty=2, totalPrice=3000) for n in ids), course("good"))
    flow.run()

    assert answers(flow)["good"] == "reserved"
    assert {letter.reason for letter in flow.dead_letters()} == {"conflicting"}


@pytest.mark.parametrize("nothing", [None, b""], ids=["null", "empty"])
def test_a_type_without_a_value_is_none(flow: Flow, nothing: bytes | None) -> None:
    send(flow, course("a"), headers=(("ce_type", nothing),))

    flow.run()

    assert answers(flow) == {"a": "reserved"}
