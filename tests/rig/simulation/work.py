"""What clients of a database execute: the statements of the service, each in an open transaction."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from orders_service.catalog import service as catalog
from orders_service.catalog.ledger import lock_products
from orders_service.catalog.product import Product
from orders_service.contract.events import OrderPlaced
from orders_service.contract.topics import Topics
from orders_service.database.errors import error_code
from orders_service.database.transactions import execute_and_count
from orders_service.events.outbox import Outbox
from orders_service.events.tables import OutboxRow
from orders_service.orders import service
from orders_service.orders.order import Order, Status
from orders_service.orders.service import Placement

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
OUTBOX = Outbox("/order-service", Topics())
LAMP, CHAIR = "lamp", "chair"


def supply(product: str, qty: int) -> Callable[[Session], bool]:
    new = {"name": product, "unit_price": 10}
    return lambda opened: catalog.supply(opened, product, qty, note="opening", now=NOON, **new)  # type: ignore[arg-type]


def lock(*products: str) -> Callable[[Session], dict[str, int]]:
    """Lock the products; their stock."""
    return lambda opened: {name: stock.pieces for name, stock in lock_products(opened, products).items()}


def set_stock(product: str, pieces: int) -> Callable[[Session], int]:
    statement = update(Product).where(Product.product_id == product).values(stock=pieces)
    return lambda opened: execute_and_count(opened, statement)


def stock(product: str) -> Callable[[Session], int]:
    return lambda opened: opened.scalars(select(Product.stock).where(Product.product_id == product)).one()


def place(*order_ids: str) -> Callable[[Session], None]:
    """Place orders as a group, and record their events."""

    def work(opened: Session) -> None:
        placements = [
            Placement(order_id=order_id, user_id="kim", product_id=LAMP, qty=1, unit_price=10)
            for order_id in order_ids
        ]
        service.place(opened.connection(), placements, outbox=OUTBOX, clock=lambda: NOON)

    return work


def move(status: Status, *allowed: Status, order_id: str = "first") -> Callable[[Session], int]:
    return lambda opened: service.move(opened, [order_id], status, allowed=allowed, now=NOON)


def numbers(opened: Session) -> dict[str, int]:
    """The number of each event in the outbox."""
    rows = opened.execute(select(OutboxRow.aggregateid, OutboxRow.seq).order_by(OutboxRow.seq))
    return {row.aggregateid: row.seq for row in rows}


def record(order_id: str) -> Callable[[Session], None]:
    event = OrderPlaced(order_id=order_id, product_id=LAMP, qty=1, unit_price=10)
    return lambda opened: OUTBOX.record(opened.connection(), [event], NOON)


def orders(opened: Session) -> int:
    """How many orders there are."""
    return opened.scalars(select(func.count()).select_from(Order)).one()


def status(opened: Session) -> str:
    return opened.scalars(select(Order.status).where(Order.order_id == "first")).one()


def code_of(raised: pytest.ExceptionInfo[OperationalError]) -> object:
    """The error code of the database's error."""
    return error_code(raised.value)
