"""Products and supplies: finds products, adds deliveries to the stock, and corrects it."""

from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.orm import Session

from orders_service.catalog.errors import (
    NotInStock,
    ProductExists,
    ProductNotFound,
    StockTooLarge,
    SupplyDiffers,
)
from orders_service.catalog.ledger import Stock, lock_products
from orders_service.catalog.product import Product, Reservation, State, Supply
from orders_service.contract.limits import INT_MAX


@cache
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
    if _is_recorded(session, product_id, qty, note):
        return False
    if stock is not None and (name is not None or unit_price is not None):
        raise ProductExists(product_id)
    if stock is not None:
        _change_stock(session, stock, qty)
    elif name is not None and unit_price is not None:
        new = {"product_name": name, "unit_price": unit_price, "created_at": now}
        session.execute(insert(Product).values(product_id=product_id, stock=qty, **new))
    else:
        raise ProductNotFound(product_id)
    session.execute(insert(Supply).values(product_id=product_id, qty=qty, note=note, created_at=now))
    return True


def correct(session: Session, product_id: str, qty: int, *, note: str, now: datetime) -> bool:
    """Change the stock and the supplies by *qty*, once for each *note*. False if that was done before.

    A negative *qty* takes pieces out of the stock, never reserved ones: `NotInStock` is raised if they are
    not there. Raises `ProductNotFound`, and `SupplyDiffers` if this note has another *qty*.
    """
    stock = lock_products(session, [product_id]).get(product_id)
    if _is_recorded(session, product_id, qty, note):
        return False
    if stock is None:
        raise ProductNotFound(product_id)
    if stock.pieces + qty < 0:
        raise NotInStock(stock.pieces, _reserved(session, product_id))
    _change_stock(session, stock, qty)
    session.execute(insert(Supply).values(product_id=product_id, qty=qty, note=note, created_at=now))
    return True


def _is_recorded(session: Session, product_id: str, qty: int, note: str) -> bool:
    """Whether the supplies have this *note* already; raises `SupplyDiffers` if its *qty* is another.

    The product must be locked, so that no other command records the same note meanwhile.
    """
    known = select(Supply.qty).where(Supply.product_id == product_id, Supply.note == note)
    earlier = session.scalar(known)
    if earlier not in (None, qty):
        raise SupplyDiffers(earlier)
    return earlier is not None


def _change_stock(session: Session, stock: Stock, qty: int) -> None:
    pieces = stock.pieces + qty
    if pieces > INT_MAX:
        raise StockTooLarge(pieces)
    session.execute(update(Product).where(Product.id == stock.row_id).values(stock=pieces))


def _reserved(session: Session, product_id: str) -> int:
    pieces = select(func.coalesce(func.sum(Reservation.qty), 0))
    of_product = Reservation.product_id == product_id, Reservation.state == State.RESERVED
    return int(session.scalar(pieces.where(*of_product)) or 0)
