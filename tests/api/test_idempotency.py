"""`Idempotency-Key`: a request sent again, by itself or fifty times at once, is one order."""

from collections.abc import Mapping
from typing import Any

import pytest
from werkzeug.datastructures import Headers

from orders_service.orders import service
from orders_service.orders.order import Status
from tests.api.kit import ORDER, ORDERS, Api, assert_nothing_written, assert_problem, at_once, member

NO_KEYS = {
    "empty": "",
    "blank": " ",
    "empty quotes": '""',
    "one quote": '"',
    "a quote only before": '"k',
    "a quote only behind": 'k"',
    "a quote within": 'k"k',
    "256 characters": "x" * 256,
    "256 in quotes": f'"{"x" * 256}"',
    "a blank within": "k k",
    "a blank in quotes": '"k k"',
    "a tab": "k\tk",
    "a control character": "k\x01",
    "delete": "k\x7f",
    "latin-1": "ké",
    "two, as a server joins them": "k,k",
    "two, as another joins them": "k, k",
    "two in quotes": '"k","k"',
    "two that are empty": ",",
}


def test_the_same_request_again_is_answered_as_the_first(api: Api) -> None:
    first = api.place(key="k")

    second = api.place(key="k")

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.data == second.data
    assert first.headers["Location"] == second.headers["Location"]
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert len(api.orders()) == len(api.outbox()) == 1


@pytest.mark.parametrize("status", Status)
def test_it_is_answered_as_placed_whatever_became_of_it(api: Api, status: Status) -> None:
    first = api.place(key="k")
    api.set_status(member(first, "orderId"), status)

    again = api.place(key="k")

    assert (again.status_code, again.data) == (201, first.data)
    assert member(again, "status") == "PENDING"
    assert [order.status for order in api.orders()] == [status]


def test_a_cancelled_order_does_not_come_back_when_it_is_sent_again(api: Api) -> None:
    order_id = api.placed(key="k")
    api.cancel(order_id)

    again = api.place(key="k")

    assert (again.status_code, member(again, "status")) == (201, "PENDING")
    assert [order.status for order in api.orders()] == ["CANCELLED"]
    assert api.events() == ["order.placed.v1", "order.cancelled.v1"]


@pytest.mark.parametrize(
    "other", [{"qty": 2}, {"unitPrice": 1}, {"productId": "CATALOG-002"}, {"productId": "catalog-001"}]
)
def test_the_key_of_another_order_is_refused(api: Api, other: Mapping[str, Any]) -> None:
    order_id = api.placed(key="k")

    response = api.place(key="k", **other)

    assert_problem(response, 422, "idempotency-key-reused")
    assert member(response, "orderId") == order_id
    assert [order.qty for order in api.orders()] == [1]
    assert len(api.outbox()) == 1


def test_a_request_that_was_refused_leaves_its_key_free(api: Api) -> None:
    refused = api.place(key="k", qty=0)

    placed = api.place(key="k", qty=1)

    assert (refused.status_code, placed.status_code) == (422, 201)
    assert "Idempotent-Replayed" not in placed.headers


def test_another_users_same_key_is_another_order(api: Api) -> None:
    mine, theirs = api.placed("kim", key="k"), api.placed("lee", key="k", qty=2)

    assert mine != theirs
    assert len(api.orders()) == 2


def test_another_key_is_another_order(api: Api) -> None:
    ids = {api.placed(key=key) for key in ("k", "K", "k.", "k,".rstrip(","), "kk")}

    assert len(ids) == 4


def test_without_a_key_every_request_is_an_order(api: Api) -> None:
    first, second = api.place(), api.place()

    assert member(first, "orderId") != member(second, "orderId")
    assert "Idempotent-Replayed" not in second.headers


@pytest.mark.parametrize(
    ("one", "other"),
    [("k", '"k"'), (" k ", "k"), ("x" * 255, f'"{"x" * 255}"'), ("!~{}[]();:=", '"!~{}[]();:="')],
)
def test_a_key_in_quotes_is_the_same_key(api: Api, one: str, other: str) -> None:
    ids = {api.placed(key=one), api.placed(key=other)}

    assert len(ids) == 1


def test_a_comma_belongs_to_a_key_in_quotes(api: Api) -> None:
    response = api.place(key='"k,k"')

    assert response.status_code == 201


@pytest.mark.parametrize("key", NO_KEYS.values(), ids=NO_KEYS)
def test_what_cannot_be_a_key_is_refused(api: Api, key: str) -> None:
    response = api.client.post(ORDERS, json=ORDER, environ_overrides={"HTTP_IDEMPOTENCY_KEY": key})

    assert_problem(response, 400, "invalid-idempotency-key")
    assert_nothing_written(api)


@pytest.mark.parametrize("keys", [("a", "b"), ("a", "a"), ("", ""), ("a", "")])
def test_two_keys_are_refused(api: Api, keys: tuple[str, str]) -> None:
    headers = Headers([("Idempotency-Key", key) for key in keys])

    response = api.client.post(ORDERS, json=ORDER, headers=headers)

    assert_problem(response, 400, "invalid-idempotency-key")
    assert_nothing_written(api)


def test_the_id_is_derived_from_user_and_key(api: Api) -> None:
    order_id = api.placed("kim", key="k")

    assert order_id == service.new_order_id("kim", "k")


def test_fifty_at_once_with_one_key_are_one_order(api: Api) -> None:
    responses = at_once(50, lambda _: api.place(key="k"))

    assert {response.status_code for response in responses} == {201}
    assert len({response.data for response in responses}) == 1
    assert sum("Idempotent-Replayed" not in response.headers for response in responses) == 1
    assert len(api.orders()) == 1
    assert api.events() == ["order.placed.v1"]


def test_fifty_at_once_with_two_contents_are_one_order(api: Api) -> None:
    responses = at_once(50, lambda number: api.place(key="k", qty=1 + number % 2))

    (order,) = api.orders()
    assert sorted({response.status_code for response in responses}) == [201, 422]
    assert {member(r, "qty") for r in responses if r.status_code == 201} == {order.qty}
    assert sum(response.status_code == 201 for response in responses) == 25
    assert len(api.outbox()) == 1


def test_fifty_at_once_without_a_key_are_fifty_orders(api: Api) -> None:
    responses = at_once(50, lambda _: api.place())

    assert {response.status_code for response in responses} == {201}
    assert len(api.orders()) == len(api.outbox()) == 50
    assert {order.order_id for order in api.orders()} == {row.aggregateid for row in api.outbox()}


def test_fifty_at_once_with_ten_keys_are_ten_orders(api: Api) -> None:
    responses = at_once(50, lambda number: api.place(key=f"k{number % 10}"))

    assert {response.status_code for response in responses} == {201}
    assert len({member(response, "orderId") for response in responses}) == 10
    assert len(api.orders()) == len(api.outbox()) == 10
