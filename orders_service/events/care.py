"""What an operator does with an outbox: look, put what was set aside back, send again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, delete, func, insert, inspect, select
from sqlalchemy.orm import Session

from orders_service.events.tables import OutboxRow

CHUNK = 1000
EVENT = [column.key for column in inspect(OutboxRow).columns if column.key != "seq"]


@dataclass(frozen=True)
class Waiting:
    """The pending events of one lane."""

    lane: str
    events: int
    oldest: datetime


def waiting(session: Session) -> list[Waiting]:
    """What is pending, by lane."""
    pending = (  # In the index alone: while the broker is away, these may be millions.
        select(func.count().label("events"), func.min(OutboxRow.seq).label("seq"))
        .where(OutboxRow.lane.is_not(None))
        .group_by(OutboxRow.lane)
        .subquery()
    )
    rows = session.execute(
        select(OutboxRow.topic, pending.c.events, OutboxRow.created_at)
        .join(pending, OutboxRow.seq == pending.c.seq)
        .order_by(OutboxRow.topic)
    )
    return [Waiting(*row) for row in rows]


def oldest(session: Session) -> Sequence[Row[str, datetime]]:
    """Each lane that has pending events, and when its first was recorded: one step in the index per lane."""
    first = (
        select(OutboxRow.lane, func.min(OutboxRow.seq).label("seq"))
        .where(OutboxRow.lane.is_not(None))
        .group_by(OutboxRow.lane)
        .subquery()
    )
    return session.execute(
        select(OutboxRow.topic, OutboxRow.created_at).join(first, OutboxRow.seq == first.c.seq)
    ).all()


def set_aside_lately(session: Session, rows: int) -> int:
    """How many of the newest *rows* the broker refused for good."""
    end = session.scalar(select(func.max(OutboxRow.seq))) or 0
    newest = select(func.count()).where(OutboxRow.seq > end - rows, OutboxRow.error.is_not(None))
    return session.scalar(newest) or 0


def set_aside(session: Session) -> Sequence[OutboxRow]:
    """The events that the broker refused for good, oldest first."""
    # They are few, and no index is worth a place in every order's transaction for them.
    return session.scalars(
        select(OutboxRow).where(OutboxRow.error.is_not(None)).order_by(OutboxRow.seq)
    ).all()


def requeue_set_aside(session: Session, *, pending: bool) -> int:
    """Let what was set aside go out again; how many events. Commits."""
    rows = set_aside(session)
    _record_again(session, rows, pending=pending)
    session.execute(delete(OutboxRow).where(OutboxRow.seq.in_([row.seq for row in rows])))
    session.commit()
    return len(rows)


def requeue_since(session: Session, since: datetime, *, pending: bool) -> int:
    """Record again, in the same order, every event recorded *since*: for a log or a binlog that was lost.

    What is still pending, too: a relay may have it in hand, acknowledged by the log that was lost. Commits
    each chunk.
    """
    end = session.scalar(select(func.max(OutboxRow.seq))) or 0
    last, count = -1, 0
    while rows := session.scalars(
        select(OutboxRow)
        .where(OutboxRow.seq > last, OutboxRow.seq <= end, OutboxRow.created_at >= since)
        .order_by(OutboxRow.seq)
        .limit(CHUNK)
    ).all():
        _record_again(session, rows, pending=pending)
        last, count = rows[-1].seq, count + len(rows)
        session.commit()
        session.expunge_all()
    return count


def _record_again(session: Session, rows: Sequence[OutboxRow], *, pending: bool) -> None:
    """As new rows with the same event ids, which alone are what change data capture sees."""
    copies = [
        {name: getattr(row, name) for name in EVENT}
        | {"lane": row.topic if pending else None, "published_at": None, "error": None}
        for row in rows
    ]
    if copies:
        session.execute(insert(OutboxRow), copies)
