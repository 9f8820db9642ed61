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
    while True:
        chunk = session.execute(
            select(OutboxRow.seq, OutboxRow.created_at, OutboxRow.lane, OutboxRow.error)
            .where(OutboxRow.seq > last)
            .order_by(OutboxRow.seq)
            .limit(CHUNK)
        ).all()
        done = [
            row.seq for row in chunk if row.created_at < before and row.lane is None and row.error is None
        ]
        if done:
            statement = delete(OutboxRow).where(
                OutboxRow.seq.in_(done), OutboxRow.lane.is_(None), OutboxRow.error.is_(None)
            )
            yield changed(session, statement)
        session.commit()
        if len(chunk) < CHUNK or chunk[-1].created_at >= before:
            return
        last = chunk[-1].seq
