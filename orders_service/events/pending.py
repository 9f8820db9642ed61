"""Counts the events that wait in an outbox."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from orders_service.events.tables import OutboxRow

COUNTED = 100_000  # Pending events of a lane are counted up to here, so that the count stays cheap.


@dataclass(frozen=True)
class PendingEvents:
    """The pending events of one lane, counted up to a bound."""

    lane: str
    events: int
    oldest: datetime


def by_lane(session: Session, *, most: int = COUNTED) -> list[PendingEvents]:
    """The pending events of each lane that has any, counted up to *most*."""
    return [
        PendingEvents(lane, _count(session, lane, most), since) for lane, since in oldest_by_lane(session)
    ]


def oldest_by_lane(session: Session) -> list[tuple[str, datetime]]:
    """Each lane that has pending events, and when its first was recorded. Costs one index step per lane."""
    lanes: list[tuple[str, datetime]] = []
    first = select(OutboxRow.lane, OutboxRow.created_at).order_by(OutboxRow.lane, OutboxRow.seq).limit(1)
    query = first.where(OutboxRow.lane.is_not(None))
    while (found := session.execute(query).one_or_none()) is not None and found.lane is not None:
        lanes.append((found.lane, found.created_at))
        query = first.where(OutboxRow.lane > found.lane)
    return lanes


def _count(session: Session, lane: str, most: int) -> int:
    some = select(OutboxRow.seq).where(OutboxRow.lane == lane).limit(most).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0
