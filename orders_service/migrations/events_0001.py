"""The event tables of both databases, first version."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.mysql import LONGBLOB, LONGTEXT

from orders_service.database.columns import UtcDateTime, exact_text, row_number

LONG_TEXT = sa.Text().with_variant(LONGTEXT(), "mysql", "mariadb")
BLOB = sa.LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb")
TABLE: dict[str, Any] = {"mariadb_charset": "utf8mb4", "mariadb_engine": "InnoDB"}


def create_events_tables() -> None:
    """Create the tables outbox, leases and dead_letters."""
    _create_outbox()
    _create_leases()
    _create_dead_letters()


def _create_outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("seq", row_number(), autoincrement=True, nullable=False),
        sa.Column("id", exact_text(36), nullable=False),
        sa.Column("specversion", sa.String(3), nullable=False),
        sa.Column("source", sa.String(255), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("aggregatetype", sa.String(64), nullable=False),
        sa.Column("aggregateid", exact_text(255), nullable=False),
        sa.Column("time", sa.String(27), nullable=False),
        sa.Column("topic", exact_text(249), nullable=False),
        sa.Column("key", exact_text(255), nullable=False),
        sa.Column("payload", LONG_TEXT, nullable=False),
        sa.Column("traceparent", sa.String(55)),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("published_at", UtcDateTime()),
        sa.Column("lane", exact_text(249)),
        sa.Column("error", sa.String(512)),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_outbox")),
        if_not_exists=True,
        **TABLE,
    )
    op.create_index(op.f("ix_outbox_lane_seq"), "outbox", ["lane", "seq"], if_not_exists=True)
    op.create_index(op.f("ix_outbox_id"), "outbox", ["id"], if_not_exists=True)


def _create_leases() -> None:
    op.create_table(
        "leases",
        sa.Column("lane", exact_text(249), nullable=False),
        sa.Column("owner", exact_text(128), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("lane", name=op.f("pk_leases")),
        if_not_exists=True,
        **TABLE,
    )


def _create_dead_letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("topic", exact_text(249), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("offset", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("record_timestamp", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("consumer_group", exact_text(255), nullable=False),
        sa.Column("key", BLOB),
        sa.Column("value", BLOB),
        sa.Column("headers", LONG_TEXT, nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("detail", LONG_TEXT, nullable=False),
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
