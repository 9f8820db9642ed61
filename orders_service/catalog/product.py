"""The catalog's tables: products, reservations and supplies."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, Index, Integer, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from orders_service.database.columns import NAMING_CONVENTION, UtcDateTime, exact_text, row_number


class CatalogBase(DeclarativeBase):
    """Metadata of the catalog's own tables; the API finds their engine by its bind key."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION, info={"bind_key": "catalog"})


class Product(CatalogBase):
    """Something sold by the piece. Its stock is what is not reserved; it is never negative."""

    __tablename__ = "catalog"
    __table_args__ = (CheckConstraint("stock >= 0", name="stock"),)

    id: Mapped[int] = mapped_column(row_number(), primary_key=True, autoincrement=True)
    product_id: Mapped[str] = mapped_column(exact_text(120), unique=True)
    product_name: Mapped[str] = mapped_column(String(255))
    stock: Mapped[int] = mapped_column(Integer)
    unit_price: Mapped[int] = mapped_column(Integer)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())


class State(StrEnum):
    """The state of an order in the catalog. VOID: it was cancelled before it was placed."""

    RESERVED = "RESERVED"
    REJECTED = "REJECTED"
    RELEASED = "RELEASED"
    VOID = "VOID"


class Reservation(CatalogBase):
    """The catalog's one decision about an order. Its key is what makes every handler safe to repeat."""

    __tablename__ = "reservations"
    __table_args__ = (Index(None, "product_id", "state", "qty"),)

    order_id: Mapped[str] = mapped_column(exact_text(255), primary_key=True)
    product_id: Mapped[str] = mapped_column(exact_text(120))
    qty: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(exact_text(16))
    reason: Mapped[str | None] = mapped_column(exact_text(64))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    updated_at: Mapped[datetime] = mapped_column(UtcDateTime())


class Supply(CatalogBase):
    """A delivery of pieces, or a correction of the stock, whose `qty` may be negative.

    Rows are only ever added. Per product: stock + Σ reserved = Σ supplied.
    """

    __tablename__ = "supplies"
    __table_args__ = (Index(None, "product_id"),)

    id: Mapped[int] = mapped_column(row_number(), primary_key=True, autoincrement=True)
    product_id: Mapped[str] = mapped_column(exact_text(120))
    qty: Mapped[int] = mapped_column(Integer)
    note: Mapped[str] = mapped_column(exact_text(255))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
