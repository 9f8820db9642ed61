"""What an operator sees of the stock: the balance of each product, the sum, and the newest supplies."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from orders_service.catalog.balance import Balance, balances
from orders_service.catalog.product import Supply

PRODUCTS = 500  # Products that are shown. The others are only added up.
PRODUCTS_MAX = 1000  # Products that are added up. With more there is no sum.
SUPPLIES = 50
SECONDS = 5.0  # The longest time for reading products. Then there is no sum.


@dataclass(frozen=True)
class Products:
    """The first products, whether there are more, and all of them added up."""

    shown: Sequence[Balance]
    more: bool
    sum: Balance | None  # None if there are too many products, or no time to read all.


def products(session: Session) -> Products:
    """Read the balances of the products, in the sequence in which they were added."""
    until = time.monotonic() + SECONDS
    shown: list[Balance] = []
    stock = reserved = supplied = count = 0
    for each in balances(session):
        if len(shown) < PRODUCTS:
            shown.append(each)
        count += 1
        stock, reserved, supplied = stock + each.stock, reserved + each.reserved, supplied + each.supplied
        if count > PRODUCTS_MAX or time.monotonic() > until:
            return Products(shown, more=True, sum=None)
    return Products(shown, count > PRODUCTS, Balance("", "", 0, stock, reserved, supplied))


def newest_supplies(session: Session) -> Sequence[Row[str, int, str, datetime]]:
    """The newest deliveries and corrections, newest first."""
    columns = Supply.product_id, Supply.qty, Supply.note, Supply.created_at
    return session.execute(select(*columns).order_by(Supply.id.desc()).limit(SUPPLIES)).all()
