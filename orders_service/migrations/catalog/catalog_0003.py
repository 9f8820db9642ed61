"""Dead letters on hold, and the actions of operators."""

from orders_service.migrations.events_0003 import create_actions, hold_dead_letters

revision = "catalog_0003"
down_revision = "catalog_0002"


def upgrade() -> None:
    """Add the columns of dead letters on hold, then the table of actions."""
    hold_dead_letters()
    create_actions()
