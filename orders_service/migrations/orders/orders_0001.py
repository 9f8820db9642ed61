"""The first tables of the orders database."""

import sqlalchemy as sa
from alembic import op

from orders_service.database.columns import UtcDateTime, exact_text, row_number
from orders_service.migrations.events_0001 import TABLE, create_events_tables

revision = "orders_0001"
down_revision = None


def upgrade() -> None:
    """Create the course's `orders` table, with a status, and the event tables."""
    op.create_table(
        "orders",
        sa.Column("id", row_number(), autoincrement=True, nullable=False),
        sa.Column("product_id", exact_text(120), nullable=False),
        sa.Column("qty", sa.Integer(), nullable=False),
        sa.Column("unit_price", sa.Integer(), nullable=False),
        sa.Column("total_price", sa.Integer(), nullable=False),
        sa.Column("user_id", exact_text(255), nullable=False),
        sa.Column("order_id", exact_text(255), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(64)),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
        sa.UniqueConstraint("order_id", name=op.f("uq_orders_order_id")),
        if_not_exists=True,
        **TABLE,
    )
    op.create_index(op.f("ix_orders_user_id_id"), "orders", ["user_id", "id"], if_not_exists=True)
    op.create_index(op.f("ix_orders_status_id"), "orders", ["status", "id"], if_not_exists=True)
    create_events_tables()
