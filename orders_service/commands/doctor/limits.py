"""The check of MariaDB's largest packet."""

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import text
from sqlalchemy.orm import Session

from orders_service.commands.doctor.finding import Finding, fine, wrong

# MariaDB's default. Our longest statement inserts a dead letter of 1 MiB: escaped, it takes up to twice that.
PACKET_BYTES = 16_777_216


def packet(session: Callable[[], AbstractContextManager[Session]]) -> Finding:
    """Whether `max_allowed_packet` is at least MariaDB's default."""
    with session() as asked:
        largest = int(asked.scalar(text("SELECT @@GLOBAL.max_allowed_packet")) or 0)
    if largest < PACKET_BYTES:
        seen = f"max_allowed_packet={largest}: large dead letters are stored incompletely"
        return wrong(
            seen, f"set max_allowed_packet={PACKET_BYTES} in MariaDB's configuration, then restart MariaDB"
        )
    return fine(f"max_allowed_packet={largest}")
