"""`POST …/orders/{orderId}/cancel`: given up once, however often and however concurrently it is asked."""

import json
from urllib.parse import quote

import pytest

from orders_service.orders.order import Status
from tests.api.kit import BERLIN, ORDERS, Api, assert_problem, at_once, member

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
ONCE = ["order.placed.v1", "order.cancelled.v1"]


@pytest.mark.parametrize("status", [Status.PENDING, Status.CONFIRMED])
def test_an_order_is_cancelled_with_one_event(api: Api, status: Status) -> None:
    order_id = api.placed(qty=3, status=status)

    response = api.cancel(order_id)

    assert (response.status_code, member(response, "status")) == (200, "CANCELLED")
    assert response.json == api.get(f"{ORDERS}/{order_id}").json
    assert api.statuses() == ["CANCELLED"]
    assert api.events() == ONCE


def test_the_event_gives_back_what_was_ordered(api: Api) -> None:
    order_id = api.placed(qty=3)

    api.cancel(order_id)

    placed, cancelled = api.outbox()
    assert (cancelled.topic, cancelled.key, cancelled.aggregateid) == (placed.topic, BERLIN, order_id)
    assert json.loads(cancelled.payload) == json.loads(placed.payload) | {"qty": -3}
    assert cancelled.id != placed.id


def test_the_trace_of_the_request_is_kept(api: Api) -> None:
    order_id = api.placed()

    api.client.post(f"{ORDERS}/{order_id}/cancel", headers={"traceparent": TRACE})

    assert [row.traceparent for row in api.outbox()] == [None, TRACE]


def test_cancelled_again_it_is_answered_the_same_and_nothing_happens(api: Api) -> None:
    order_id = api.placed()
    first = api.cancel(order_id)

    again = [api.cancel(order_id) for _ in range(3)]

    assert [(response.status_code, response.data) for response in again] == [(200, first.data)] * 3
    assert [order.version for order in api.orders()] == [2]
    assert api.events() == ONCE


def test_a_rejected_order_cannot_be_cancelled(api: Api) -> None:
    order_id = api.placed()
    api.reject(order_id, "insufficient-stock")

    response = api.cancel(order_id)

    assert_problem(response, 409, "order-rejected")
    assert [(order.status, order.reason) for order in api.orders()] == [("REJECTED", "insufficient-stock")]
    assert api.events() == ["order.placed.v1"]


@pytest.mark.parametrize("order_id", ["unknown", "%00", "%20", "%25", "김", "x" * 1000])
def test_an_unknown_order_is_not_found(api: Api, order_id: str) -> None:
    api.placed()

    response = api.cancel(order_id)

    assert_problem(response, 404, "order-not-found")
    assert api.events() == ["order.placed.v1"]


@pytest.mark.parametrize("user", ["lee", "Kim", "kim ", "kím"])
@pytest.mark.parametrize("status", Status)
def test_anothers_order_is_not_found_whatever_its_status(api: Api, user: str, status: Status) -> None:
    order_id = api.placed("kim", status=status)

    response = api.cancel(order_id, quote(user))

    assert_problem(response, 404, "order-not-found")
    assert api.statuses() == [status]
    assert api.events() == ["order.placed.v1"]


@pytest.mark.parametrize("body", [b"", b"{}", b"not json", b"\xff", b" " * 100_000], ids=len)
def test_a_body_does_not_matter(api: Api, body: bytes) -> None:
    order_id = api.placed()

    response = api.client.post(f"{ORDERS}/{order_id}/cancel", data=body)

    assert response.status_code == 200


@pytest.mark.parametrize("status", [Status.PENDING, Status.CONFIRMED])
def test_cancelled_twenty_times_at_once_it_has_one_event(api: Api, status: Status) -> None:
    order_id = api.placed(status=status)

    responses = at_once(20, lambda _: api.cancel(order_id))

    assert {response.status_code for response in responses} == {200}
    assert len({response.data for response in responses}) == 1
    assert api.statuses() == ["CANCELLED"]
    assert api.events() == ONCE


def test_confirmed_and_cancelled_at_once_it_is_cancelled(api: Api) -> None:
    ids = [api.placed() for _ in range(20)]

    def act(number: int) -> int:
        order_id = ids[number // 2]
        return api.confirm(order_id) if number % 2 else api.cancel(order_id).status_code

    codes = at_once(40, act)[::2]

    assert codes == [200] * 20
    assert api.statuses() == ["CANCELLED"] * 20
    assert sorted(api.cancelled()) == sorted(ids)


def test_rejected_and_cancelled_at_once_it_is_one_of_both(api: Api) -> None:
    ids = [api.placed() for _ in range(20)]

    def act(number: int) -> int:
        order_id = ids[number // 2]
        return api.reject(order_id, "price-differs") if number % 2 else api.cancel(order_id).status_code

    codes = at_once(40, act)[::2]

    became = {200: "CANCELLED", 409: "REJECTED"}
    assert api.statuses() == [became[code] for code in codes]
    assert sorted(api.cancelled()) == sorted(o.order_id for o in api.orders() if o.status == "CANCELLED")


def test_confirmed_while_it_is_being_cancelled_it_has_its_event(api: Api) -> None:
    ids = [api.placed() for _ in range(10)]

    at_once(10, lambda number: [api.confirm(ids[number]), api.cancel(ids[number]), api.confirm(ids[number])])

    assert api.statuses() == ["CANCELLED"] * 10
    assert sorted(api.cancelled()) == sorted(ids)


def test_placed_again_and_cancelled_at_once_it_is_cancelled(api: Api) -> None:
    order_id = api.placed(key="k")

    responses = at_once(20, lambda number: api.cancel(order_id) if number % 2 else api.place(key="k"))

    assert [response.status_code for response in responses] == [201, 200] * 10
    assert api.statuses() == ["CANCELLED"]
    assert api.events() == ONCE
