"""Does a database take our longest statements?"""

from collections.abc import Callable
from contextlib import AbstractContextManager

from sqlalchemy import text
from sqlalchemy.orm import Session

from orders_service.commands.doctor.finding import Finding, fine, wrong

# MariaDB's default. A dead letter of 1 MiB takes up to twice that in a statement; nothing else takes as much.
PACKET_BYTES = 16_777_216


def packet(session: Callable[[], AbstractContextManager[Session]]) -> Finding:
    """Whether the server takes a statement as long as our longest ones."""
    with session() as asked:
        largest = int(asked.scalar(text("SELECT @@GLOBAL.max_allowed_packet")) or 0)
    if largest < PACKET_BYTES:
        seen = f"max_allowed_packet={largest}: large dead letters are kept in part"
        return wrong(seen, f"in MariaDB's configuration: max_allowed_packet={PACKET_BYTES}; then restart it")
    return fine(f"max_allowed_packet={largest}")
