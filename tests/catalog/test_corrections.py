"""Corrections of the stock: each is applied once, none takes a reserved piece, and the stock adds up."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from orders_service.catalog import service
from orders_service.catalog.balance import CHUNK, balances, imbalances
from orders_service.catalog.errors import NotInStock, ProductNotFound, StockTooLarge, SupplyDiffers
from orders_service.catalog.ledger import Ledger
from orders_service.catalog.product import Product, Reservation, Supply
from orders_service.contract.events import OrderCancelled, OrderEvent, OrderPlaced
from orders_service.contract.limits import INT_MAX
from rig.databases import Databases
from rig.history import assert_stock_adds_up

NOW = datetime(2026, 11, 24, tzinfo=UTC)
BERLIN = "CATALOG-001"
OPENING = 10

# A note's number decides its qty, so that most repetitions say the same.
notes = st.integers(0, 8).map(lambda n: (f"note {n}", (-1) ** n * (1 + n)))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("correct"), notes),
        st.tuples(st.just("contradict"), notes),
        st.tuples(st.just("place"), st.tuples(st.integers(0, 5), st.none())),
        st.tuples(st.just("cancel"), st.tuples(st.integers(0, 5), st.none())),
    ),
    max_size=30,
)


@dataclass
class Model:
    """What the catalog must do, in a few lines."""

    stock: int = OPENING
    supplied: int = OPENING
    notes: dict[str, int] = field(default_factory=dict)
    decided: dict[str, int] = field(default_factory=dict)  # The pieces that each order holds.

    def correct(self, note: str, qty: int) -> object:
        """What the correction answers."""
        if note in self.notes:
            return self.notes[note] == qty or SupplyDiffers
        if self.stock + qty < 0:
            return NotInStock
        self.notes[note] = qty
        self.stock += qty
        self.supplied += qty
        return "new"

    def decide(self, order_id: str, qty: int, *, places: bool) -> None:
        """An order is placed, or cancelled."""
        if places and order_id not in self.decided:
            self.decided[order_id] = qty if self.stock >= qty else 0
            self.stock -= self.decided[order_id]
        elif not places:
            self.stock += self.decided.get(order_id, 0)
            self.decided[order_id] = 0


def corrected(session: Session, note: str, qty: int, product_id: str = BERLIN) -> object:
    try:
        is_new = service.correct(session, product_id, qty, note=note, now=NOW)
    except (NotInStock, SupplyDiffers) as error:
        return type(error)
    return "new" if is_new else True


def decide(session: Session, event: OrderEvent) -> None:
    ledger = Ledger(session, [event], check_price=False)
    if isinstance(event, OrderCancelled):
        ledger.cancel(event)
    else:
        ledger.reserve(event)
    ledger.write(session, NOW)


def stock(session: Session) -> int:
    return session.scalars(select(Product.stock).where(Product.product_id == BERLIN)).one()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_orders_and_corrections_agree_with_a_model(
    databases: Databases, steps: list[tuple[str, tuple[str, int]]]
) -> None:
    model = Model()
    with Session(databases.catalog) as session:
        session.execute(delete(Reservation))
        session.execute(delete(Supply).where(Supply.note.startswith("note ")))
        session.execute(update(Product).values(stock=OPENING))
        session.execute(update(Supply).values(qty=OPENING))

        for what, (subject, qty) in steps:
            if what in ("correct", "contradict"):
                said = qty if what == "correct" else qty + (1 if qty > 0 else -1)
                assert corrected(session, subject, said) == model.correct(subject, said)
            else:
                order_id, pieces = f"o{subject}", 1 + int(subject)
                kind = OrderPlaced if what == "place" else OrderCancelled
                decide(session, kind(order_id=order_id, product_id=BERLIN, qty=pieces))
                model.decide(order_id, pieces, places=what == "place")
            assert stock(session) == model.stock

        assert_stock_adds_up(session)
        assert imbalances(session, 10) == []
        session.rollback()


def test_a_refusal_says_what_is_in_stock_and_what_is_reserved(databases: Databases) -> None:
    with Session(databases.catalog) as session:
        decide(session, OrderPlaced(order_id="a", product_id=BERLIN, qty=98))

        with pytest.raises(NotInStock) as refusal:
            service.correct(session, BERLIN, -3, note="broken", now=NOW)

    assert (refusal.value.stock, refusal.value.reserved) == (2, 98)


def test_only_a_product_of_the_catalog_is_corrected(databases: Databases) -> None:
    with Session(databases.catalog) as session, pytest.raises(ProductNotFound):
        service.correct(session, "GHOST", 1, note="found", now=NOW)


@pytest.mark.parametrize("change", [service.supply, service.correct])
def test_the_stock_never_leaves_its_column(databases: Databases, change: Callable[..., bool]) -> None:
    with Session(databases.catalog) as session, pytest.raises(StockTooLarge):
        change(session, BERLIN, INT_MAX, note="all", now=NOW)


def test_every_product_has_a_balance_however_many_there_are(databases: Databases) -> None:
    with Session(databases.catalog) as session:
        for n in range(CHUNK + 5):
            service.supply(session, f"P{n}", n, note="first", now=NOW, name="Lamp", unit_price=n)
        session.execute(update(Product).where(Product.product_id == "P7").values(stock=9))
        session.commit()

        found = list(balances(session))
        wrong = imbalances(session, 10)

    assert [balance.product_id for balance in found][3:] == [f"P{n}" for n in range(CHUNK + 5)]
    assert [(balance.product_id, balance.surplus) for balance in found if balance.surplus] == [("P7", 2)]
    assert wrong == [balance for balance in found if balance.surplus]


def test_a_list_of_balances_waits_for_no_writer(databases: Databases) -> None:
    with Session(databases.catalog) as writer, Session(databases.catalog) as reader:
        service.correct(writer, BERLIN, -1, note="broken", now=NOW)

        before = {balance.product_id: balance.stock for balance in balances(reader)}
        writer.commit()
        after = {balance.product_id: balance.stock for balance in balances(reader)}

    assert (before[BERLIN], after[BERLIN]) == (100, 99)
