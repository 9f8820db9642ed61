"""`POST …/orders`: what can be meant is placed, together with its event."""

from typing import Any

import pytest

from tests.api.kit import BERLIN, ORDER, Api, assert_nothing_written, member

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_an_order_is_answered_as_the_course_does_and_pending(api: Api) -> None:
    response = api.place(qty=2)

    assert response.status_code == 201
    assert response.content_type == "application/json"
    assert response.json == {
        "productId": BERLIN,
        "qty": 2,
        "unitPrice": 1500,
        "totalPrice": 3000,
        "orderId": member(response, "orderId"),
        "status": "PENDING",
    }


def test_an_order_and_its_event_are_recorded_together(api: Api) -> None:
    order_id = api.placed(qty=3)

    (order,) = api.orders()
    (event,) = api.outbox()
    assert (order.order_id, order.user_id, order.qty, order.status) == (order_id, "kim", 3, "PENDING")
    assert (event.type, event.aggregateid, event.key, event.lane) == (
        "order.placed.v1",
        order_id,
        BERLIN,
        "example-catalog-topic",
    )


def test_two_orders_of_one_content_are_two_orders(api: Api) -> None:
    first, second = api.placed(), api.placed()

    assert first != second
    assert len(api.orders()) == len(api.outbox()) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"qty": 1, "unitPrice": 0},
        {"qty": 10_000},
        {"unitPrice": 100_000_000},
        {"qty": 21, "unitPrice": 100_000_000},
        {"qty": 10_000, "unitPrice": 214_748},
        {"productId": "x"},
        {"productId": "x" * 120},
        {"productId": "김" * 120},
        {"productId": "😀" * 120},
        {"productId": " CATALOG-001 "},
        {"productId": "a/b?c#d%41\"'\\;"},
        {"productId": "UNKNOWN"},
    ],
    ids=str,
)
def test_what_is_exactly_at_a_limit_is_placed(api: Api, fields: dict[str, Any]) -> None:
    order_id = api.placed(**fields)

    expected = ORDER | fields
    (order,) = api.orders()
    assert (order.product_id, order.qty, order.unit_price) == tuple(expected.values())
    assert order.total_price == order.qty * order.unit_price
    assert order.order_id == order_id


@pytest.mark.parametrize("accept", ["application/xml", "text/html", "nonsense", "*/*;q=0", ""])
def test_accept_is_no_reason_to_refuse(api: Api, accept: str) -> None:
    response = api.place(headers={"Accept": accept})

    assert response.status_code == 201
    assert response.content_type == "application/json"
    assert len(api.orders()) == 1


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (TRACE, TRACE),
        (None, None),
        ("", None),
        ("nonsense", None),
        (TRACE.upper(), None),
        (TRACE + "-00", None),
    ],
)
def test_the_trace_of_a_request_is_kept_if_it_is_one(api: Api, sent: str | None, kept: str | None) -> None:
    api.place(headers={} if sent is None else {"traceparent": sent})

    assert [row.traceparent for row in api.outbox()] == [kept]


@pytest.mark.parametrize("key", ["", '"', "a b", "x" * 256])
def test_of_several_things_wrong_at_once_nothing_is_written(api: Api, key: str) -> None:
    response = api.place("%00", key=key, qty=0)

    assert response.status_code in (400, 422)
    assert_nothing_written(api)
