"""`POST …/orders/batch`: up to 100 orders in one transaction, with one answer for each."""

import json
from typing import Any

import pytest
from sqlalchemy import event
from werkzeug.test import TestResponse

from orders_service.orders.order import Status
from rig.databases import Databases
from tests.api.kit import (
    BERLIN,
    ORDER,
    ORDERS,
    TOKYO,
    Api,
    assert_nothing_written,
    assert_problem,
    at_once,
    member,
)

BATCH = f"{ORDERS}/batch"


def send(api: Api, orders: Any, **headers: str) -> TestResponse:
    return api.client.post(BATCH, json={"orders": orders}, headers=headers)


def keyed(key: str, **fields: Any) -> dict[str, Any]:
    return ORDER | {"idempotencyKey": key} | fields


def statuses(response: TestResponse) -> list[int]:
    assert response.status_code == 200, response.text
    return [element["status"] for element in response.json or []]


def test_each_order_is_answered_as_if_it_were_sent_alone(api: Api) -> None:
    alone = api.place(key="a")

    response = send(api, [ORDER, keyed("b", productId="ä/é", qty=3), keyed("a")])

    assert (response.status_code, response.content_type) == (200, "application/json")
    first, second, third = response.json or []
    assert list(first) == ["status", "location", "order"]
    assert first["order"] | {"orderId": ""} == alone.json | {"orderId": ""}  # type: ignore[operator]
    assert second["order"]["productId"] == "ä/é"
    assert third == {
        "status": 201,
        "location": alone.headers["Location"],
        "order": alone.json,
        "replayed": True,
    }
    shown = [api.get(element["location"]).json for element in (first, second)]
    assert [one["orderId"] for one in shown if one] == [e["order"]["orderId"] for e in (first, second)]
    assert [order.qty for order in api.orders()] == [1, 1, 3]
    assert len(api.outbox()) == 3


def test_a_hundred_orders_of_which_ten_are_bad_and_ten_repeated(api: Api) -> None:
    bad = [{**ORDER, "qty": 0}, 7, None, [], {}, {**ORDER, "x": 1}, {**ORDER, "unitPrice": "1"}]
    bad += [keyed(""), keyed('"'), keyed("a", productId=" ")]
    good = [keyed(f"key-{number}", qty=number + 1) for number in range(80)]
    orders = [order for group in zip(good[::8], bad, good[::8], strict=True) for order in group]
    orders += [order for number, order in enumerate(good) if number % 8]

    response = send(api, orders)

    assert len(orders) == 100
    assert statuses(response) == [201, 422, 201] * 10 + [201] * 70
    elements = response.json or []
    assert [element.get("replayed", False) for element in elements] == [False, False, True] * 10 + [
        False
    ] * 70
    assert [e["order"]["qty"] for e in elements if "order" in e] == [
        order["qty"]  # type: ignore[index]
        for order, element in zip(orders, elements, strict=True)
        if element["status"] == 201
    ]
    assert len(api.orders()) == len(api.outbox()) == 80
    again = send(api, orders)
    assert statuses(again) == statuses(response)
    assert len(api.orders()) == 80


def test_a_refused_order_says_where_it_stands(api: Api) -> None:
    response = send(api, [ORDER, {**ORDER, "qty": 0, "a/b": 1}, "order"], **{"X-Request-Id": "mine"})

    _, wrong, no_object = response.json or []
    problem = wrong["problem"]
    assert (problem["type"], problem["status"]) == ("/problems/invalid-fields", 422)
    assert problem["instance"] == "/requests/mine"
    assert {(e["field"], e["pointer"]) for e in problem["errors"]} == {
        ("qty", "/orders/1/qty"),
        ("a/b", "/orders/1/a~1b"),
    }
    assert [e["pointer"] for e in no_object["problem"]["errors"]] == ["/orders/2"]


def test_a_key_that_is_used_twice_is_a_replay_or_a_mistake(api: Api) -> None:
    response = send(api, [keyed("k"), keyed("k"), keyed("k", qty=2), keyed("k", productId=TOKYO)])

    assert statuses(response) == [201, 201, 422, 422]
    first, second, third, _ = response.json or []
    assert (second["replayed"], second["order"]) == (True, first["order"])
    assert third["problem"]["type"] == "/problems/idempotency-key-reused"
    assert third["problem"]["orderId"] == first["order"]["orderId"]
    assert len(api.orders()) == 1


def test_a_replay_shows_the_order_as_it_was_placed(api: Api) -> None:
    placed = api.place(key="k")
    api.confirm(str(member(placed, "orderId")))

    (element,) = send(api, [keyed("k")]).json or []

    assert (element["replayed"], element["order"]["status"]) == (True, Status.PENDING)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"orders": []},
        {"orders": None},
        {"orders": {}},
        {"orders": "x"},
        {"orders": [ORDER] * 101},
        {"Orders": [ORDER]},
        {"orders": [ORDER], "note": 1},
        {"orders": [ORDER], "\ud800": 1},
    ],
)
def test_what_is_no_batch_is_refused_as_a_whole(api: Api, body: dict[str, Any]) -> None:
    response = api.client.post(BATCH, data=json.dumps(body), content_type="application/json")

    assert response.status_code == 422
    assert_nothing_written(api)


def test_a_batch_has_no_key_of_its_own(api: Api) -> None:
    assert_problem(send(api, [ORDER], **{"Idempotency-Key": "k"}), 400, "invalid-idempotency-key")
    assert_nothing_written(api)


def test_a_name_that_cannot_be_encoded_is_named(api: Api) -> None:
    body = json.dumps({"orders": [ORDER | {"\ud800": 1}, ORDER | {"productId": "\udfff"}, ORDER]})

    response = api.client.post(BATCH, data=body, content_type="application/json")

    assert statuses(response) == [422, 422, 201]


def test_a_hundred_orders_with_the_longest_ids_and_keys_fit(api: Api) -> None:
    orders = [keyed(f"{number:~>255}", productId="x" * 120, qty=10_000, unitPrice=1) for number in range(100)]

    assert statuses(send(api, orders)) == [201] * 100


def test_an_order_whose_id_is_batch_is_looked_for(api: Api) -> None:
    assert_problem(api.get(BATCH), 404, "order-not-found")
    assert set(api.client.delete(BATCH).headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


def test_batches_and_orders_at_the_same_time_place_each_order_once(api: Api) -> None:
    def act(number: int) -> list[int]:
        if number % 2:
            return [api.place(key=f"key-{number}").status_code]
        return statuses(send(api, [keyed(f"key-{n}") for n in range(20)]))

    answers = at_once(10, act)

    assert {status for one in answers for status in one} == {201}
    assert len(api.orders()) == len(api.outbox()) == 20


def test_a_batch_that_cannot_be_committed_is_unknown_as_a_whole(own_api: Api) -> None:
    engine = own_api.orders_engines[1]

    def fail(*_: object) -> None:
        raise engine.dialect.loaded_dbapi.OperationalError(2013, "gone")

    event.listen(engine, "before_cursor_execute", fail, retval=False)
    response = send(own_api, [keyed("a"), {**ORDER, "qty": 0}, keyed("b")])
    event.remove(engine, "before_cursor_execute", fail)
    again = send(own_api, [keyed("a"), keyed("b")])

    assert_problem(response, 503, "database-unavailable")
    assert response.headers["Retry-After"] == "1"
    assert statuses(again) == [201, 201]
    ids = [element["order"]["orderId"] for element in again.json or []]
    assert member(response, "orderIds") == ids
    assert len(own_api.orders()) == 2


def test_a_batch_larger_than_the_whole_rate_limit_is_not_told_to_try_again(databases: Databases) -> None:
    with Api.on(databases, RATE_LIMIT="10/min", API_WORKERS="1") as api:
        too_large = send(api, [ORDER] * 11)

        assert_problem(too_large, 422, "invalid-fields", fields=("orders",))
        assert "must be at most 10" in member(too_large, "detail")
        assert "Retry-After" not in too_large.headers
        assert_nothing_written(api)


def test_each_order_of_a_batch_counts_in_the_rate_limit(databases: Databases) -> None:
    with Api.on(databases, RATE_LIMIT="10/min", API_WORKERS="1") as api:
        first, second = send(api, [ORDER] * 7), send(api, [ORDER] * 4)

    assert statuses(first) == [201] * 7
    assert second.status_code == 429


def test_a_batch_larger_than_the_queue_is_placed_when_nobody_waits(databases: Databases) -> None:
    with Api.on(databases, API_QUEUE_MAX="10") as api:
        assert statuses(send(api, [ORDER | {"productId": BERLIN}] * 100)) == [201] * 100
