"""Compare texts byte by byte, and keep dead letters for each consumer group."""

from orders_service.migrations.events_0002 import EVENT_TEXTS, compare_byte_by_byte, key_dead_letters_by_group

revision = "catalog_0002"
down_revision = "catalog_0001"


def upgrade() -> None:
    """Change the collations, then the primary key of dead_letters."""
    compare_byte_by_byte(
        {
            "reservations": {"state": (16, False), "reason": (64, True)},
            "supplies": {"note": (255, False)},
        }
        | EVENT_TEXTS
    )
    key_dead_letters_by_group()
