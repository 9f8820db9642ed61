"""The event tables of both databases, first version."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGBLOB, LONGTEXT

from orders_service.database.columns import UtcDateTime, exact, row_number

TABLE: dict[str, Any] = {"mariadb_charset": "utf8mb4", "mariadb_engine": "InnoDB"}


def create_events_tables() -> None:
    """Create the tables outbox, leases and dead_letters."""
    long_text = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")
    blob = sa.LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")
    op.create_table(
        "outbox",
        sa.Column("seq", row_number(), autoincrement=True, nullable=False),
        sa.Column("id", exact(36), nullable=False),
        sa.Column("specversion", sa.String(3), nullable=False),
        sa.Column("source", sa.String(255), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("aggregatetype", sa.String(64), nullable=False),
        sa.Column("aggregateid", exact(255), nullable=False),
        sa.Column("time", sa.String(27), nullable=False),
        sa.Column("topic", exact(249), nullable=False),
        sa.Column("key", exact(255), nullable=False),
        sa.Column("payload", long_text, nullable=False),
        sa.Column("traceparent", sa.String(55)),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("published_at", UtcDateTime()),
        sa.Column("lane", exact(249)),
        sa.Column("error", sa.String(512)),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outbox")),
        if_not_exists=True,
        **TABLE,
    )
    op.create_index(op.f("ix_outbox_lane_seq"), "outbox", ["lane", "seq"], if_not_exists=True)
    op.create_index(op.f("ix_outbox_id"), "outbox", ["id"], if_not_exists=True)
    op.create_table(
        "leases",
        sa.Column("lane", exact(249), nullable=False),
        sa.Column("owner", exact(128), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("lane", name=op.f("pk_leases")),
        if_not_exists=True,
        **TABLE,
    )
    op.create_table(
        "dead_letters",
        sa.Column("topic", exact(249), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record_timestamp", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("consumer_group", exact(255), nullable=False),
        sa.Column("key", blob),
        sa.Column("value", blob),
        sa.Column("headers", long_text, nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("detail", long_text, nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("resolution", sa.String(16)),
        sa.Column("resolved_by", sa.String(255)),
        sa.Column("resolved_at", UtcDateTime()),
        sa.PrimaryKeyConstraint(
            "topic", "partition", "offset", "record_timestamp", name=op.f("pk_dead_letters")
        ),
        if_not_exists=True,
        **TABLE,
    )
