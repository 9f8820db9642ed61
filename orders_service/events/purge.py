"""What was published long ago leaves the outbox, in chunks, so that nobody waits for a long delete."""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from orders_service.database import changed
from orders_service.events.tables import OutboxRow

CHUNK = 1000


def purge(session: Session, *, before: datetime) -> Iterator[int]:
    """Delete what was recorded *before* and waits for nobody; a number of rows for each chunk, committed.

    Never a pending row, nor one that was set aside. From the low end of the primary key, which is the oldest.
    """
    last = -1
    while chunk := session.execute(
        select(OutboxRow.seq, OutboxRow.created_at)
        .where(OutboxRow.seq > last)
        .order_by(OutboxRow.seq)
        .limit(CHUNK)
    ).all():
        # By range: given a thousand numbers, MariaDB may read the whole table, and wait for those who write.
        done = delete(OutboxRow).where(
            OutboxRow.seq >= chunk[0].seq,
            OutboxRow.seq <= chunk[-1].seq,
            OutboxRow.created_at < before,
            OutboxRow.lane.is_(None),
            OutboxRow.error.is_(None),
        )
        count = changed(session, done)
        session.commit()
        if count:
            yield count
        if chunk[-1].created_at >= before:
            return
        last = chunk[-1].seq
