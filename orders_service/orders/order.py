"""The table `orders`, and the status of an order."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import Index, Integer, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from orders_service.database.columns import NAMING_CONVENTION, UtcDateTime, exact_text, row_number

FIRST_VERSION = 1  # The version of a new order. Each change of its status adds 1.


class OrdersBase(DeclarativeBase):
    """The base class of the orders' own tables, with their metadata."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Status(StrEnum):
    """The status of an order: PENDING → CONFIRMED or REJECTED; PENDING or CONFIRMED → CANCELLED."""

    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"


class Order(OrdersBase):
    """An order of a customer. Its status changes only through `service.move`."""

    __tablename__ = "orders"
    __table_args__ = (Index(None, "user_id", "id"), Index(None, "status", "id"))

    id: Mapped[int] = mapped_column(row_number(), primary_key=True, autoincrement=True)
    product_id: Mapped[str] = mapped_column(exact_text(120))
    qty: Mapped[int] = mapped_column(Integer)
    unit_price: Mapped[int] = mapped_column(Integer)
    total_price: Mapped[int] = mapped_column(Integer)
    user_id: Mapped[str] = mapped_column(exact_text(255))
    order_id: Mapped[str] = mapped_column(exact_text(255), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    status: Mapped[str] = mapped_column(exact_text(16))
    reason: Mapped[str | None] = mapped_column(exact_text(64))
    version: Mapped[int] = mapped_column(Integer)
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime())
