"""The balance of each product: its stock and its reserved pieces are together what was supplied."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.orm import Session

from orders_service.catalog.product import Product, Reservation, State, Supply

CHUNK = 100  # Products that one statement reads. It adds up their reservations, which can be many.


@dataclass(frozen=True)
class Balance:
    """A product with the sums of its reserved and of its supplied pieces."""

    product_id: str
    product_name: str
    unit_price: int
    stock: int
    reserved: int
    supplied: int

    @property
    def surplus(self) -> int:
        """The pieces in stock or reserved that were never supplied. Negative if pieces are missing."""
        return self.stock + self.reserved - self.supplied


RESERVED = (
    select(func.coalesce(func.sum(Reservation.qty), 0))
    .where(Reservation.product_id == Product.product_id, Reservation.state == State.RESERVED)
    .scalar_subquery()
)
SUPPLIED = (
    select(func.coalesce(func.sum(Supply.qty), 0))
    .where(Supply.product_id == Product.product_id)
    .scalar_subquery()
)
# One statement reads the stock and both sums, so that no order is decided in between.
BALANCES = select(
    Product.id,
    Product.product_id,
    Product.product_name,
    Product.unit_price,
    Product.stock,
    RESERVED.label("reserved"),
    SUPPLIED.label("supplied"),
)


def balances(session: Session) -> Iterator[Balance]:
    """The balance of every product, in the sequence in which they were added.

    Reads in chunks, each in its own transaction, which waits for no writer.
    """
    last = -1
    while True:
        session.connection(execution_options={"read_only": True})
        query = BALANCES.where(Product.id > last).order_by(Product.id).limit(CHUNK)
        rows = session.execute(query).all()
        session.rollback()
        yield from map(_balance, rows)
        if len(rows) < CHUNK:
            return
        last = rows[-1].id


def imbalances(session: Session, limit: int) -> list[Balance]:
    """The balances of products whose stock + Σ reserved is not Σ supplied; at most *limit* of them."""
    of_each = BALANCES.subquery()
    wrong = of_each.c.stock + of_each.c.reserved != of_each.c.supplied
    return [_balance(row) for row in session.execute(select(of_each).where(wrong).limit(limit))]


def _balance(row: Row[Any]) -> Balance:
    return Balance(
        row.product_id,
        row.product_name,
        row.unit_price,
        row.stock,
        int(row.reserved),  # MariaDB's sums are decimals.
        int(row.supplied),
    )
