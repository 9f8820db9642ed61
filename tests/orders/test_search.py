"""An operator finds every order that matches, whatever the filter, and no other."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert
from sqlalchemy.orm import Session

from orders_service.orders import search
from orders_service.orders.errors import OrderNotFound
from orders_service.orders.order import Order, Status
from orders_service.orders.search import Filter
from rig.databases import Databases

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

# An order: its user, its status, and the seconds between it and the order before.
orders = st.tuples(st.sampled_from(["ann", "Ann", "bob"]), st.sampled_from(Status), st.integers(-2, 5))
filters = st.builds(
    Filter,
    user_id=st.sampled_from([None, "ann", "Ann", "nobody"]),
    status=st.sampled_from([None, *Status]),
    placed_before=st.none() | st.integers(-5, 40).map(lambda n: NOON + timedelta(seconds=n)),
)


def rows(made: list[tuple[str, Status, int]]) -> list[dict[str, Any]]:
    found, at = [], NOON
    for number, (user, status, seconds) in enumerate(made, start=1):
        at += timedelta(seconds=seconds)
        facts = {"order_id": f"o{number}", "user_id": user, "product_id": "LAMP", "qty": 1}
        prices = {"unit_price": 1, "total_price": 1, "version": 1}
        found.append({**facts, **prices, "status": status, "created_at": at, "updated_at": at})
    return found


def expected(made: list[dict[str, Any]], only: Filter) -> list[str]:
    found = [
        row["order_id"]
        for row in made
        if only.user_id in (None, row["user_id"])
        and only.status in (None, row["status"])
        and (only.placed_before is None or row["created_at"] <= only.placed_before)
    ]
    return found if only.placed_before else found[::-1]


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(made=st.lists(orders, max_size=12), only=filters)
def test_exactly_the_orders_that_match_are_found_in_sequence(
    databases: Databases, made: list[tuple[str, Status, int]], only: Filter
) -> None:
    placed = rows(made)
    with Session(databases.orders) as session:
        session.execute(delete(Order))
        if placed:
            session.execute(insert(Order), placed)
        session.commit()

        found = [order.order_id for order in search.find(session, only)]

    assert found == expected(placed, only)


@pytest.mark.parametrize(
    "only", [Filter(), Filter("ann"), Filter(status=Status.PENDING), Filter("ann", Status.PENDING)]
)
@pytest.mark.parametrize("before", [None, NOON + timedelta(days=1)])
def test_a_long_list_is_read_in_chunks(
    databases: Databases, monkeypatch: pytest.MonkeyPatch, only: Filter, before: datetime | None
) -> None:
    monkeypatch.setattr(search, "CHUNK", 3)
    only = Filter(only.user_id, only.status, before)
    placed = rows([("ann" if n % 2 else "bob", list(Status)[n % 4], 1) for n in range(20)])
    with Session(databases.orders) as session:
        session.execute(insert(Order), placed)
        session.commit()

        found = [order.order_id for order in search.find(session, only)]

    assert found == expected(placed, only)


def test_the_search_for_old_orders_ends_where_they_end(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "CHUNK", 3)
    placed = rows([("ann", Status.PENDING, 1)] * 100)
    with Session(databases.orders) as session:
        session.execute(insert(Order), placed)
        session.commit()
        read: list[int] = []

        def note(_: Filter, order: Any) -> bool:
            read.append(order.id)
            return True

        monkeypatch.setattr(Filter, "matches", note)

        list(search.find(session, Filter(placed_before=NOON + timedelta(seconds=4))))

    assert len(read) == 9  # Two chunks with old orders, and one without.


def test_an_unknown_order_is_not_found(databases: Databases) -> None:
    with Session(databases.orders) as session, pytest.raises(OrderNotFound):
        search.get(session, "o1")
