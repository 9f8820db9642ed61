"""Counts the events that wait in an outbox, and those that were set aside."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from orders_service.events.tables import OutboxRow

COUNTED = 100_000  # Pending events of a lane are counted up to here, so that the count stays cheap.


@dataclass(frozen=True)
class PendingEvents:
    """The pending events of one lane, counted up to `COUNTED`."""

    lane: str
    events: int
    oldest: datetime


def by_lane(session: Session) -> list[PendingEvents]:
    """The pending events of each lane that has any."""
    return [PendingEvents(lane, _count(session, lane), since) for lane, since in oldest_by_lane(session)]


def oldest_by_lane(session: Session) -> list[tuple[str, datetime]]:
    """Each lane that has pending events, and when its first was recorded. Costs one index step per lane."""
    lanes: list[tuple[str, datetime]] = []
    first = select(OutboxRow.lane, OutboxRow.created_at).order_by(OutboxRow.lane, OutboxRow.seq).limit(1)
    query = first.where(OutboxRow.lane.is_not(None))
    while (found := session.execute(query).one_or_none()) is not None and found.lane is not None:
        lanes.append((found.lane, found.created_at))
        query = first.where(OutboxRow.lane > found.lane)
    return lanes


def _count(session: Session, lane: str) -> int:
    some = select(OutboxRow.seq).where(OutboxRow.lane == lane).limit(COUNTED).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def set_aside_lately(session: Session, rows: int) -> int:
    """The number of events that the broker refused permanently, among the newest *rows*."""
    end = session.scalar(select(func.max(OutboxRow.seq))) or 0
    newest = select(func.count()).where(OutboxRow.seq > end - rows, OutboxRow.error.is_not(None))
    return session.scalar(newest) or 0
