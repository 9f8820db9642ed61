"""`Prefer: wait=N`: the answer comes when the order is no longer PENDING, or after N seconds."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import event
from werkzeug.test import TestResponse

from orders_service.api import watch
from orders_service.api.database import READER, WATCHER
from orders_service.api.watch import Watcher
from rig.databases import Databases
from rig.waiting import await_true
from tests.api.kit import ORDERS, Api, assert_nothing_written, assert_problem, member

LONG = {"Prefer": "wait=30"}
SHORT = {"Prefer": "wait=1"}


def watcher(api: Api) -> Watcher:
    found: Watcher = api.app.extensions["watcher"]
    return found


@contextmanager
def asked(api: Api, request: Callable[[], TestResponse]) -> Iterator["Future[TestResponse]"]:
    """A request that waits already."""
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(request)
        await_true(lambda: bool(watcher(api)._orders), "it waits")
        yield answer


def getting(api: Api, order_id: str, headers: dict[str, str] = LONG) -> Callable[[], TestResponse]:
    return lambda: api.client.get(f"{ORDERS}/{order_id}", headers=headers)


@contextmanager
def counted(api: Api) -> Iterator[list[str]]:
    """The statements that the watcher runs."""
    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    engine = api.engine(WATCHER)
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(engine, "before_cursor_execute", note)


def test_a_placed_order_is_answered_with_its_outcome(api: Api) -> None:
    with asked(api, lambda: api.place(headers=LONG)) as answer:
        assert api.confirm(api.orders()[0].order_id) == 1

        response = answer.result()

    assert (response.status_code, member(response, "status")) == (201, "CONFIRMED")
    assert response.headers["Preference-Applied"] == "wait=30"
    assert response.headers["Location"].endswith(member(response, "orderId"))
    assert list(response.json or {}) == ["productId", "qty", "unitPrice", "totalPrice", "orderId", "status"]


def test_a_rejected_order_is_answered_with_its_reason(api: Api) -> None:
    with asked(api, lambda: api.place(headers=LONG)) as answer:
        api.reject(api.orders()[0].order_id, "unknown-product")

        response = answer.result()

    assert response.status_code == 201
    assert (member(response, "status"), member(response, "reason")) == ("REJECTED", "unknown-product")


def test_a_repeated_order_is_answered_with_its_outcome_too(api: Api) -> None:
    api.confirm(api.placed(key="a"))

    response = api.place(key="a", headers=LONG)

    assert (response.status_code, member(response, "status")) == (201, "CONFIRMED")
    assert response.headers["Idempotent-Replayed"] == "true"
    assert response.headers["Preference-Applied"] == "wait=30"


def test_a_shown_order_is_answered_with_its_outcome(api: Api) -> None:
    order_id = api.placed()

    with asked(api, getting(api, order_id)) as answer:
        api.confirm(order_id)
        response = answer.result()

    assert (response.status_code, member(response, "status")) == (200, "CONFIRMED")
    assert response.headers["Preference-Applied"] == "wait=30"
    assert response.json == api.get(f"{ORDERS}/{order_id}").json


def test_after_the_time_the_order_is_shown_as_it_is(api: Api) -> None:
    placed = api.place(headers=SHORT)
    shown = getting(api, member(placed, "orderId"), SHORT)()

    for response in (placed, shown):
        assert member(response, "status") == "PENDING"
        assert response.headers["Preference-Applied"] == "wait=1"
    await_true(lambda: not watcher(api)._at_work, "nobody waits, so nobody looks")


def test_an_order_with_an_outcome_is_shown_at_once(api: Api) -> None:
    order_id = api.placed()
    api.confirm(order_id)

    with counted(api) as statements:
        response = getting(api, order_id)()

    assert member(response, "status") == "CONFIRMED"
    assert response.headers["Preference-Applied"] == "wait=30"
    assert statements == []


def test_without_the_header_nobody_waits(api: Api) -> None:
    with counted(api) as statements:
        response = api.place(headers={"Prefer": "respond-async, wait=0"})

    assert member(response, "status") == "PENDING"
    assert "Preference-Applied" not in response.headers
    assert statements == []


@pytest.mark.parametrize("user", ["lee", "KIM"])
def test_anothers_order_is_not_waited_for(api: Api, user: str) -> None:
    order_id = api.placed()

    response = api.client.get(f"/order-service/{user}/orders/{order_id}", headers=LONG)

    assert_problem(response, 404, "order-not-found")


def test_one_statement_looks_for_all_that_wait(api: Api) -> None:
    order_ids = [api.placed() for _ in range(20)]

    with ThreadPoolExecutor(20) as pool, counted(api) as statements:
        answers = [pool.submit(getting(api, order_id)) for order_id in order_ids]
        await_true(lambda: len(watcher(api)._orders) == 20, "all wait")
        before = len(statements)
        await_true(lambda: len(statements) >= before + 2, "it looks again")
        assert api.engine(READER).pool.checkedout() == 0  # type: ignore[attr-defined]
        for order_id in order_ids:
            api.confirm(order_id)
        told = [answer.result() for answer in answers]

    assert {member(response, "status") for response in told} == {"CONFIRMED"}
    assert [member(response, "orderId") for response in told] == order_ids
    looks = [statement for statement in statements if not statement.startswith("BEGIN")]  # SQLite says BEGIN.
    assert all("order_id IN" in statement for statement in looks)


def test_more_changes_than_one_look_returns_are_all_found(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orders_service.orders.changes.CHANGED_MAX", 3)
    monkeypatch.setattr("orders_service.orders.changes.LIST_MAX", 4)
    order_ids = [api.placed() for _ in range(10)]

    with ThreadPoolExecutor(10) as pool:
        answers = [pool.submit(getting(api, order_id)) for order_id in order_ids]
        await_true(lambda: len(watcher(api)._orders) == 10, "all wait")
        for order_id in order_ids:
            api.confirm(order_id)
        told = [answer.result() for answer in answers]

    assert {member(response, "status") for response in told} == {"CONFIRMED"}


def test_more_than_may_wait_are_refused_and_nothing_is_written(api: Api) -> None:
    seats = watcher(api).seats
    for _ in range(seats.most):
        seats.take()
    try:
        placed = api.place(headers=LONG)
        assert_nothing_written(api)
        order_id = api.placed()
        shown = getting(api, order_id)()
        streams = [api.get(f"{ORDERS}/{order_id}/events"), api.get(f"{ORDERS}/events")]
        plain = api.place()
    finally:
        for _ in range(seats.most):
            seats.leave()

    for response in (placed, shown, *streams):
        assert_problem(response, 503, "too-many-waiters")
        assert response.headers["Retry-After"] == "1"
    assert plain.status_code == 201


def test_with_threads_three_are_left_for_other_requests(own_api: Api) -> None:
    assert watcher(own_api).seats.most == int(own_api.app.config["SETTINGS"].api_threads) - 5


def test_with_threads_the_setting_bounds_those_that_wait_too(databases: Databases) -> None:
    with Api.on(databases, API_WAITERS_MAX="2") as api:
        assert watcher(api).seats.most == 2


def test_a_request_that_fails_leaves_its_seat(api: Api) -> None:
    for _ in range(3):
        assert api.place(qty=0, headers=LONG).status_code == 422

    assert watcher(api).seats.taken == 0


def test_told_to_stop_everyone_is_answered_with_what_there_is(own_api: Api) -> None:
    order_id = own_api.placed()

    with asked(own_api, getting(own_api, order_id)) as answer:
        watcher(own_api).stop()
        response = answer.result()
    began = time.monotonic()
    late = getting(own_api, order_id)()

    assert member(response, "status") == member(late, "status") == "PENDING"
    assert time.monotonic() - began < 25


def test_the_watcher_survives_a_database_that_is_down(own_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "DOWN_SECONDS", 0.05)
    order_id, engine, looks = own_api.placed(), own_api.engine(WATCHER), []

    def refuse(*_: Any) -> None:
        looks.append(1)
        if len(looks) < 5:
            raise engine.dialect.loaded_dbapi.OperationalError(2013, "Lost connection")

    event.listen(engine, "before_cursor_execute", refuse)
    with asked(own_api, getting(own_api, order_id)) as answer:
        own_api.confirm(order_id)
        response = answer.result()

    assert member(response, "status") == "CONFIRMED"
    assert len(looks) >= 5
