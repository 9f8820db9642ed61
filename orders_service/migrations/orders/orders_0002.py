"""Texts are compared byte by byte, and each consumer group keeps its own dead letters."""

from orders_service.migrations.events_0002 import (
    EVENT_TEXTS,
    compare_byte_by_byte,
    key_dead_letters_by_group,
)

revision = "orders_0002"
down_revision = "orders_0001"


def upgrade() -> None:
    """Change the collations, then the key of the dead letters."""
    compare_byte_by_byte({"orders": {"status": (16, False), "reason": (64, True)}} | EVENT_TEXTS)
    key_dead_letters_by_group()
