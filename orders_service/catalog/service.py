"""Products and supplies: finds products, adds pieces to the stock, and checks that both agree."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, insert, select, update
from sqlalchemy.orm import Session

from orders_service.catalog.errors import ProductExists, ProductNotFound, SupplyDiffers
from orders_service.catalog.ledger import lock_products
from orders_service.catalog.product import Product, Reservation, State, Supply


def products_query() -> Select[Any]:
    """Every product. Their `id` is the order in which they were added."""
    return select(Product.__table__)


def product(session: Session, product_id: str) -> Product:
    """The product of this id; raises `ProductNotFound`."""
    found = session.scalar(select(Product).where(Product.product_id == product_id))
    if found is None:
        raise ProductNotFound(product_id)
    return found


def supply(
    session: Session,
    product_id: str,
    qty: int,
    *,
    note: str,
    now: datetime,
    name: str | None = None,
    unit_price: int | None = None,
) -> bool:
    """Add *qty* pieces to the stock and to the supplies, once for each *note*. False if that was done before.

    A new product needs *name* and *unit_price*. Raises `ProductNotFound` if they are missing, `ProductExists`
    if they are given for an existing product, and `SupplyDiffers` if this note has another *qty*.
    """
    stock = lock_products(session, [product_id]).get(product_id)
    known = select(Supply.qty).where(Supply.product_id == product_id, Supply.note == note)
    earlier = session.scalar(known)
    if earlier is not None:
        if earlier != qty:
            raise SupplyDiffers(earlier)
        return False
    if stock is None:
        if name is None or unit_price is None:
            raise ProductNotFound(product_id)
        new = {"product_name": name, "unit_price": unit_price, "created_at": now}
        session.execute(insert(Product).values(product_id=product_id, stock=qty, **new))
    elif name is not None or unit_price is not None:
        raise ProductExists(product_id)
    else:
        session.execute(update(Product).where(Product.id == stock.row_id).values(stock=stock.pieces + qty))
    session.execute(insert(Supply).values(product_id=product_id, qty=qty, note=note, created_at=now))
    return True


def imbalances(session: Session, limit: int) -> Sequence[Row[str, int, int, int]]:
    """Products whose stock + Σ reserved is not Σ supplied, with these three numbers; at most *limit* of them.

    It is one statement, so that no order is decided in between.
    """
    reserved = (
        select(func.coalesce(func.sum(Reservation.qty), 0))
        .where(Reservation.product_id == Product.product_id, Reservation.state == State.RESERVED)
        .scalar_subquery()
    )
    supplied = (
        select(func.coalesce(func.sum(Supply.qty), 0))
        .where(Supply.product_id == Product.product_id)
        .scalar_subquery()
    )
    of_each = select(
        Product.product_id, Product.stock, reserved.label("reserved"), supplied.label("supplied")
    ).subquery()
    return session.execute(
        select(of_each).where(of_each.c.stock + of_each.c.reserved != of_each.c.supplied).limit(limit)
    ).all()
