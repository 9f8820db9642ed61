"""`ETag` is the version of an order; `If-None-Match` saves a read, `If-Match` guards a cancellation."""

from collections.abc import Callable
from functools import partial

import pytest
from sqlalchemy import event
from werkzeug.test import TestResponse

from orders_service.orders.order import Status
from tests.api.kit import ORDER, ORDERS, Api, assert_problem, at_once, member


def get(api: Api, order_id: str, tags: str) -> TestResponse:
    return api.client.get(f"{ORDERS}/{order_id}", headers={"If-None-Match": tags})


def cancel(api: Api, order_id: str, tags: str) -> TestResponse:
    return api.client.post(f"{ORDERS}/{order_id}/cancel", headers={"If-Match": tags})


def cancel_status(api: Api, order_id: str, tags: str) -> int:
    return cancel(api, order_id, tags).status_code


def act(acts: list[Callable[[], int]], number: int) -> int:
    return acts[number]()


def test_each_change_of_an_order_has_another_tag(api: Api) -> None:
    placed = api.place(key="k")
    order_id = member(placed, "orderId")
    shown = api.get(f"{ORDERS}/{order_id}")
    api.confirm(order_id)
    confirmed = api.get(f"{ORDERS}/{order_id}")
    cancelled = api.cancel(order_id)
    again = api.cancel(order_id)
    replayed = api.place(key="k")

    found = [one.headers["ETag"] for one in (placed, shown, confirmed, cancelled, again, replayed)]

    assert found == ['"1"', '"1"', '"2"', '"3"', '"3"', '"1"']
    assert "Last-Modified" not in shown.headers


@pytest.mark.parametrize("tags", ['"1"', 'W/"1"', '"0", "1"', '"a,b" ,\tW/"1"', "*", ' "1" ', ',"1",'])
def test_a_version_that_the_client_knows_is_not_sent_again(api: Api, tags: str) -> None:
    order_id = api.placed()

    response = get(api, order_id, tags)

    assert (response.status_code, response.data) == (304, b"")
    assert response.headers["ETag"] == '"1"'
    assert not {"Content-Type", "Content-Length"} & set(response.headers.keys())


@pytest.mark.parametrize("tags", ['"2"', '"11"', '""', '"W/1"', '"01"', '"é"', '"*"'])
def test_another_version_is_sent_whole(api: Api, tags: str) -> None:
    order_id = api.placed()

    response = get(api, order_id, tags)

    assert (response.status_code, member(response, "orderId")) == (200, order_id)


def test_a_poll_with_the_last_tag_sees_the_change(api: Api) -> None:
    order_id = api.placed()
    known = api.get(f"{ORDERS}/{order_id}").headers["ETag"]

    before = get(api, order_id, known)
    api.reject(order_id, "insufficient-stock")
    after = get(api, order_id, known)

    assert (before.status_code, after.status_code) == (304, 200)
    assert (member(after, "status"), after.headers["ETag"]) == (Status.REJECTED, '"2"')


def test_an_order_that_does_not_exist_has_no_version(api: Api) -> None:
    assert_problem(get(api, "none", "*"), 404, "order-not-found")
    assert_problem(cancel(api, "none", "*"), 404, "order-not-found")


@pytest.mark.parametrize(
    "tags", ["", "1", '"1', '1"', "'1'", '"1" 2', "W/1", 'w/"1"', '*, "1"', ",", '"a b"']
)
def test_tags_that_are_none_are_refused(api: Api, tags: str) -> None:
    order_id = api.placed()

    assert_problem(get(api, order_id, tags), 400, "bad-request")
    assert_problem(cancel(api, order_id, tags), 400, "bad-request")
    assert api.statuses() == [Status.PENDING]


@pytest.mark.parametrize("tags", ['"1"', '"0", "1"', "*", '"1","1"'])
def test_an_order_of_the_required_version_is_cancelled(api: Api, tags: str) -> None:
    order_id = api.placed()

    response = cancel(api, order_id, tags)

    assert (response.status_code, member(response, "status")) == (200, Status.CANCELLED)
    assert api.cancelled() == [order_id]


@pytest.mark.parametrize(
    "tags", ['"1"', '"3"', 'W/"2"', '"two"', '"99999999999999999999"', '"0", "1"', '"02"']
)
def test_an_order_of_another_version_is_not_cancelled(api: Api, tags: str) -> None:
    order_id = api.placed()
    api.confirm(order_id)

    response = cancel(api, order_id, tags)

    assert_problem(response, 412, "precondition-failed")
    assert response.headers["ETag"] == '"2"'
    assert (api.statuses(), api.cancelled()) == ([Status.CONFIRMED], [])


def test_a_cancellation_can_be_repeated_with_its_first_tag(api: Api) -> None:
    order_id = api.placed()

    answers = [cancel(api, order_id, '"1"') for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert api.cancelled() == [order_id]


def test_a_rejected_order_was_rejected_or_has_changed(api: Api) -> None:
    order_id = api.placed()
    api.reject(order_id, "insufficient-stock")

    assert_problem(cancel(api, order_id, '"2"'), 409, "order-rejected")
    assert_problem(cancel(api, order_id, '"1"'), 412, "precondition-failed")


def test_a_change_between_reading_and_writing_is_seen(own_api: Api) -> None:
    if own_api.is_sqlite:
        pytest.skip("SQLite has one writer at a time")
    order_id = own_api.placed()
    confirmed: list[int] = []

    def before_update(_: object, __: object, statement: str, *___: object) -> None:
        if statement.startswith("UPDATE") and not confirmed:
            confirmed.append(own_api.confirm(order_id))

    event.listen(own_api.engine(), "before_cursor_execute", before_update)
    response = cancel(own_api, order_id, '"1"')
    event.remove(own_api.engine(), "before_cursor_execute", before_update)

    assert confirmed == [1]
    assert_problem(response, 412, "precondition-failed")
    assert (own_api.statuses(), own_api.cancelled()) == ([Status.CONFIRMED], [])


def test_of_concurrent_changes_only_those_of_the_required_version_happen(api: Api) -> None:
    seen = set()
    for _ in range(30):
        order_id = api.placed()
        acts: list[Callable[[], int]] = [
            partial(api.confirm, order_id),
            partial(cancel_status, api, order_id, '"1"'),
            partial(cancel_status, api, order_id, '"2"'),
        ]
        confirmed, first, second = at_once(3, partial(act, acts))
        order = api.orders()[-1]
        seen.add((confirmed, first, second, order.status, order.version))

    possible = {
        # The order was confirmed in between, and neither version was right when it was looked at.
        (1, 412, 412, Status.CONFIRMED, 2),
        # It was cancelled as it was placed: the confirmation came too late.
        (0, 200, 412, Status.CANCELLED, 2),
        (0, 200, 200, Status.CANCELLED, 2),
        # It was confirmed, and cancelled as such.
        (1, 412, 200, Status.CANCELLED, 3),
        (1, 200, 200, Status.CANCELLED, 3),
    }
    assert seen <= possible


def test_an_order_is_placed_whatever_its_conditions_are(api: Api) -> None:
    response = api.client.post(ORDERS, json=ORDER, headers={"If-Match": '"7"', "If-None-Match": "*"})

    assert response.status_code == 201
