"""The first tables of the catalog database, with the course's three products in stock."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from orders_service.database.columns import UtcDateTime, exact_text, row_number
from orders_service.migrations.events_0001 import TABLE, create_events_tables

revision = "catalog_0001"
down_revision = None

OPENING = (
    ("CATALOG-001", "Berlin", 100, 1500),
    ("CATALOG-002", "Tokyo", 110, 1000),
    ("CATALOG-003", "Stockholm", 120, 2000),
)


def upgrade() -> None:
    """Create the catalog's tables and the event tables, and insert the course's products."""
    catalog = _create_catalog()
    _create_reservations()
    supplies = _create_supplies()
    create_events_tables()
    now = datetime.now(UTC)
    op.bulk_insert(
        catalog,
        [
            {"product_id": id_, "product_name": name, "stock": qty, "unit_price": price, "created_at": now}
            for id_, name, qty, price in OPENING
        ],
    )
    op.bulk_insert(
        supplies,
        [
            {"product_id": id_, "qty": qty, "note": "opening stock", "created_at": now}
            for id_, _, qty, _ in OPENING
        ],
    )


def _create_catalog() -> sa.Table:
    return op.create_table(
        "catalog",
        sa.Column("id", row_number(), autoincrement=True, nullable=False),
        sa.Column("product_id", exact_text(120), nullable=False),
        sa.Column("product_name", sa.String(255), nullable=False),
        sa.Column("stock", sa.Integer(), nullable=False),
        sa.Column("unit_price", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("stock >= 0", name=op.f("ck_catalog_stock")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_catalog")),
        sa.UniqueConstraint("product_id", name=op.f("uq_catalog_product_id")),
        if_not_exists=True,
        **TABLE,
    )


def _create_reservations() -> None:
    op.create_table(
        "reservations",
        sa.Column("order_id", exact_text(255), nullable=False),
        sa.Column("product_id", exact_text(120), nullable=False),
        sa.Column("qty", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64)),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("order_id", name=op.f("pk_reservations")),
        if_not_exists=True,
        **TABLE,
    )
    op.create_index(
        op.f("ix_reservations_product_id_state_qty"),
        "reservations",
        ["product_id", "state", "qty"],
        if_not_exists=True,
    )


def _create_supplies() -> sa.Table:
    supplies = op.create_table(
        "supplies",
        sa.Column("id", row_number(), autoincrement=True, nullable=False),
        sa.Column("product_id", exact_text(120), nullable=False),
        sa.Column("qty", sa.Integer(), nullable=False),
        sa.Column("note", sa.String(255), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_supplies")),
        if_not_exists=True,
        **TABLE,
    )
    op.create_index(op.f("ix_supplies_product_id"), "supplies", ["product_id"], if_not_exists=True)
    return supplies
