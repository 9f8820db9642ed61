"""Changes in the event tables of both databases, second version.

MariaDB commits each DDL statement by itself, so each step here can be repeated: a migration that was killed
starts again at its first step.
"""

import sqlalchemy as sa
from alembic import op

from orders_service.database.columns import exact_text

Texts = dict[str, dict[str, tuple[int, bool]]]  # By table and column: length, and whether NULL is allowed.

# `error`, `detail`, `headers` and `payload` stay as they are: prose and JSON are never compared.
EVENT_TEXTS: Texts = {
    "outbox": {
        "specversion": (3, False),
        "source": (255, False),
        "type": (64, False),
        "aggregatetype": (64, False),
        "time": (27, False),
        "traceparent": (55, True),
    },
    "dead_letters": {"reason": (32, False), "resolution": (16, True), "resolved_by": (255, True)},
}
LETTER_KEY = ["topic", "partition", "offset", "record_timestamp", "consumer_group"]


def compare_byte_by_byte(tables: Texts) -> None:
    """Give the text columns of *tables* the collation of `exact`. SQLite compares bytes anyway.

    MariaDB changes a column without an index instantly. For a column with indexes it rebuilds these, while
    reads and writes go on.
    """
    if op.get_bind().dialect.name == "sqlite":
        return
    for table, columns in tables.items():
        for name, (length, nullable) in columns.items():
            op.alter_column(
                table,
                name,
                type_=exact_text(length),
                existing_type=sa.String(length),
                existing_nullable=nullable,
            )


def key_dead_letters_by_group() -> None:
    """Add the consumer group to the primary key: two groups may give up on the same record."""
    bind = op.get_bind()
    if sa.inspect(bind).get_pk_constraint("dead_letters")["constrained_columns"] == LETTER_KEY:
        return
    if bind.dialect.name == "sqlite":
        with op.batch_alter_table("dead_letters", recreate="always") as table:
            table.drop_constraint(op.f("pk_dead_letters"), type_="primary")
            table.create_primary_key(op.f("pk_dead_letters"), LETTER_KEY)
        return
    # One statement: in between, a table without its key would accept the same record twice.
    quoted = ", ".join(bind.dialect.identifier_preparer.quote(column) for column in LETTER_KEY)
    op.execute(f"ALTER TABLE dead_letters DROP PRIMARY KEY, ADD PRIMARY KEY ({quoted})")
