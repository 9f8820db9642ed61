"""Changes in the event tables of both databases, third version: dead letters on hold, and actions.

Each step can be repeated. In MariaDB the new columns are added instantly, and reads and writes go on while
the index is built.
"""

import sqlalchemy as sa
from alembic import op

from orders_service.database.columns import UtcDateTime, exact_text, row_number
from orders_service.migrations.events_0001 import LONG_TEXT, TABLE


def hold_dead_letters() -> None:
    """Add the columns of dead letters on hold, and an index for those that wait."""
    for column in (
        sa.Column("held_by", exact_text(255)),
        sa.Column("held_at", UtcDateTime()),
        sa.Column("note", exact_text(255)),
    ):
        if column.name not in _columns_of("dead_letters"):
            op.add_column("dead_letters", column)
    op.create_index(
        op.f("ix_dead_letters_resolution_held_at_created_at"),
        "dead_letters",
        ["resolution", "held_at", "created_at"],
        if_not_exists=True,
    )


def create_actions() -> None:
    """Create the table actions."""
    op.create_table(
        "actions",
        sa.Column("id", row_number(), autoincrement=True, nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=False),
        sa.Column("done_by", exact_text(255), nullable=False),
        sa.Column("action", exact_text(64), nullable=False),
        sa.Column("target", exact_text(512), nullable=False),
        sa.Column("idempotency_key", exact_text(255), nullable=False),
        sa.Column("request_digest", exact_text(64), nullable=False),
        sa.Column("outcome", exact_text(512)),
        sa.Column("answer", LONG_TEXT),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_actions")),
        sa.UniqueConstraint("done_by", "idempotency_key", name=op.f("uq_actions_done_by_idempotency_key")),
        if_not_exists=True,
        **TABLE,
    )


def _columns_of(table: str) -> set[str]:
    return {column["name"] for column in sa.inspect(op.get_bind()).get_columns(table)}
