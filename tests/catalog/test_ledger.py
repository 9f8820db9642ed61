"""Any orders, placed and cancelled any number of times in any order: stock is never negative and adds up."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from orders_service.catalog.ledger import Ledger
from orders_service.catalog.product import Product, Reservation, Supply
from orders_service.contract.events import Event, OrderCancelled, OrderEvent, OrderPlaced, StockReserved
from orders_service.events.errors import Conflicting
from rig.databases import Databases
from rig.history import assert_stock_adds_up

NOW = datetime(2026, 11, 24, tzinfo=UTC)
PRODUCTS = ("CATALOG-001", "CATALOG-002", "GHOST")


def decide(
    session: Session, events: Sequence[OrderEvent], *, check_price: bool = False
) -> list[Event | None]:
    """Apply *events* as one batch; the answers."""
    ledger = Ledger(session, events, check_price=check_price)
    answers: list[Event | None] = []
    for event in events:
        if isinstance(event, OrderCancelled):
            ledger.cancel(event)
            answers.append(None)
        else:
            answers.append(ledger.reserve(event))
    ledger.write(session, NOW)
    session.flush()
    return answers


def placed(
    order_id: str = "o1", product_id: str = "CATALOG-001", qty: int = 1, price: int = 1500
) -> OrderPlaced:
    return OrderPlaced(order_id=order_id, product_id=product_id, qty=qty, unit_price=price)


def cancelled(order_id: str = "o1", product_id: str = "CATALOG-001", qty: int = 1) -> OrderCancelled:
    return OrderCancelled(order_id=order_id, product_id=product_id, qty=qty)


def stock(session: Session, product_id: str = "CATALOG-001") -> int:
    return session.scalars(select(Product.stock).where(Product.product_id == product_id)).one()


# An order's content is fixed by its number, so that the same order never contradicts itself.
orders = st.integers(0, 11).map(lambda n: (f"o{n}", PRODUCTS[n % 3], 1 + n * n % 7))
moves = st.lists(st.tuples(st.booleans(), orders), max_size=40)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(moves=moves, cut=st.integers(1, 40))
def test_whatever_comes_stock_adds_up_and_each_order_is_decided_once(
    databases: Databases, moves: list[tuple[bool, tuple[str, str, int]]], cut: int
) -> None:
    events = [placed(*order) if is_placed else cancelled(*order) for is_placed, order in moves]
    with Session(databases.catalog) as session:
        session.execute(delete(Reservation))
        session.execute(update(Product).values(stock=10))
        session.execute(update(Supply).values(qty=10))

        answers = [
            answer
            for start in range(0, len(events), cut)
            for answer in decide(session, events[start : start + cut])
            if answer
        ]

        assert_stock_adds_up(session)
        said: dict[str, set[str]] = {}
        for answer in answers:
            said.setdefault(answer.order_id, set()).add(answer.type)
        assert all(len(types) == 1 for types in said.values())
        session.rollback()


def test_a_batch_decides_as_one_by_one_would(databases: Databases) -> None:
    events = [placed("a", qty=60), placed("b", qty=60), cancelled("a", qty=60), placed("c", qty=60)]

    with Session(databases.catalog) as session:
        answers = decide(session, events)

        assert [type(answer).__name__ for answer in answers] == [
            "StockReserved",
            "StockRejected",
            "NoneType",
            "StockReserved",
        ]
        assert stock(session) == 40


def test_placed_again_repeats_the_answer_and_takes_nothing(databases: Databases) -> None:
    with Session(databases.catalog) as session:
        first = decide(session, [placed(qty=5)])

        second = decide(session, [placed(qty=5)])

        assert first == second == [StockReserved(order_id="o1", product_id="CATALOG-001", qty=5)]
        assert stock(session) == 95


def test_placed_again_with_other_content_is_a_conflict(databases: Databases) -> None:
    with Session(databases.catalog) as session:
        decide(session, [placed(qty=5)])

        with pytest.raises(Conflicting, match="order o1 was recorded with 5 × CATALOG-001"):
            decide(session, [placed(qty=6)])


def test_an_order_that_is_cancelled_before_it_is_placed_takes_nothing(databases: Databases) -> None:
    with Session(databases.catalog) as session:
        before = stock(session)

        answers = decide(session, [cancelled()]) + decide(session, [placed(), cancelled()])

        assert answers == [None, None, None]
        assert stock(session) == before
        assert session.scalars(select(Reservation.state)).all() == ["VOID"]


def test_another_price_is_refused_when_prices_are_checked(databases: Databases) -> None:
    with Session(databases.catalog) as session:
        (answer,) = decide(session, [placed(price=1)], check_price=True)

        assert answer is not None
        assert answer.data()["reason"] == "price-differs"


def test_product_ids_are_compared_byte_by_byte(databases: Databases) -> None:
    names = ["catalog-001", "CATALOG-001 ", "CÁTALOG-001"]

    with Session(databases.catalog) as session:
        answers = decide(session, [placed(name, name) for name in names])

        assert [answer and answer.data()["reason"] for answer in answers] == ["unknown-product"] * 3
