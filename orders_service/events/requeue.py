"""Sends events again: those that were set aside, or all since a time."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, delete, func, insert, inspect, select
from sqlalchemy.orm import Session

from orders_service.events.tables import OutboxRow

CHUNK = 1000
WINDOW = 100_000  # The most rows that one statement scans, where no index finds the wanted ones.
COPIED_COLUMNS = [column.key for column in inspect(OutboxRow).columns if column.key != "seq"]


def events_set_aside(session: Session) -> list[OutboxRow]:
    """The events that the broker refused permanently, oldest first."""
    # They are few. An index for them would cost every order's transaction something.
    return [
        row
        for window in _windows(session)
        for row in session.scalars(
            select(OutboxRow).where(window, OutboxRow.error.is_not(None)).order_by(OutboxRow.seq)
        )
    ]


def requeue_set_aside(session: Session, *, pending: bool, newest: int | None = None) -> int:
    """Replace the events that were set aside by new rows, to be sent again. Returns how many.

    With *newest* it looks at so many of the newest rows only. Commits each chunk.
    """
    count = 0
    for window in _windows(session, newest):
        refused = select(OutboxRow).where(window, OutboxRow.error.is_not(None)).order_by(OutboxRow.seq)
        while rows := session.scalars(refused.limit(CHUNK)).all():
            _record_again(session, rows, pending=pending)
            session.execute(delete(OutboxRow).where(OutboxRow.seq.in_([row.seq for row in rows])))
            count += len(rows)
            session.commit()
            session.expunge_all()
    return count


def requeue_since(session: Session, since: datetime, *, pending: bool) -> int:
    """Record every event again that was recorded *since*, in the same order, after a log or binlog was lost.

    This includes pending events: a relay may have sent one to the lost log just now, and would mark it as
    published. Commits each chunk. Returns how many events.
    """
    count = 0
    for window in _windows(session):
        last = -1
        while rows := session.scalars(
            select(OutboxRow)
            .where(window, OutboxRow.seq > last, OutboxRow.created_at >= since)
            .order_by(OutboxRow.seq)
            .limit(CHUNK)
        ).all():
            _record_again(session, rows, pending=pending)
            last, count = rows[-1].seq, count + len(rows)
            session.commit()
            session.expunge_all()
    return count


def _windows(session: Session, newest: int | None = None) -> Iterator[ColumnElement[bool]]:
    """Conditions for the present rows, one window each, so that every statement ends within its time-out.

    With *newest* only for so many of the newest rows.
    """
    first, last = session.execute(select(func.min(OutboxRow.seq), func.max(OutboxRow.seq))).one()
    if newest is not None and last is not None:
        first = max(first, last - newest + 1)
    for low in range(first or 0, (last or -1) + 1, WINDOW):
        yield OutboxRow.seq.between(low, min(low + WINDOW - 1, last))


def _record_again(session: Session, rows: Sequence[OutboxRow], *, pending: bool) -> None:
    """Insert copies of *rows* with the same event ids. Change data capture sees only new rows."""
    copies = [
        {name: getattr(row, name) for name in COPIED_COLUMNS}
        | {"lane": row.topic if pending else None, "published_at": None, "error": None}
        for row in rows
    ]
    if copies:
        session.execute(insert(OutboxRow), copies)
