"""The readings of one database's events: its outbox, the leases, and the dead letters."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, func, select
from sqlalchemy.orm import Session

from orders_service.database.columns import utc_now
from orders_service.events import leases, pending, set_aside
from orders_service.events.dead_letters import ON_HOLD, WAITING
from orders_service.events.leases import Held
from orders_service.events.tables import DeadLetter, OutboxRow

COUNTED = 10_000  # Rows that wait are counted up to here.
# So they are looked for less often.
SELDOM_SECONDS = 2.0


@dataclass(frozen=True)
class LastError:
    """The newest error of a station that a person has to look at."""

    at: datetime
    text: str
    path: str  # Where the page shows it.


@dataclass(frozen=True)
class Lane:
    """The pending events of a topic."""

    topic: str
    events: int
    oldest_seconds: float


@dataclass(frozen=True)
class Letters:
    """The dead letters that were neither replayed nor discarded, and the newest that waits."""

    waiting: int = 0
    on_hold: int = 0
    last: LastError | None = None


@dataclass(frozen=True)
class EventTables:
    """The events of a database."""

    newest_seq: int
    lanes: Sequence[Lane]
    held: Sequence[Held]
    letters: Letters
    set_aside: LastError | None

    @property
    def pending(self) -> int:
        """The pending events of all lanes."""
        return sum(lane.events for lane in self.lanes)

    @property
    def oldest_seconds(self) -> float | None:
        """The age of the oldest pending event; None if none is pending."""
        return max((lane.oldest_seconds for lane in self.lanes), default=None)


class EventTablesLook:
    """Reads the event tables of a database; what no index finds, only every `SELDOM_SECONDS`."""

    def __init__(self) -> None:
        self._looked_at = float("-inf")
        self._set_aside: LastError | None = None

    def read(self, connection: Connection) -> EventTables:
        """The present state."""
        with Session(connection, expire_on_commit=False) as session:
            now = utc_now()
            newest = session.scalar(select(func.max(OutboxRow.seq))) or 0
            lanes = [
                Lane(each.lane, each.events, max(0.0, (now - each.oldest).total_seconds()))
                for each in pending.by_lane(session, most=COUNTED)
            ]
            held = leases.held(session)
            letters = _letters(session)
            if time.monotonic() - self._looked_at >= SELDOM_SECONDS:
                self._set_aside = _last_set_aside(session)
                self._looked_at = time.monotonic()
        return EventTables(newest, lanes, held, letters, self._set_aside)


def _letters(session: Session) -> Letters:
    newest = select(DeadLetter.created_at, DeadLetter.reason).where(*WAITING)
    last = session.execute(newest.order_by(DeadLetter.created_at.desc()).limit(1)).one_or_none()
    return Letters(
        waiting=_count(session, WAITING) if last else 0,
        on_hold=_count(session, ON_HOLD),
        last=LastError(last.created_at, last.reason, "/ui/dead-letters") if last else None,
    )


def _count(session: Session, conditions: Iterable[ColumnElement[bool]]) -> int:
    some = select(DeadLetter.offset).where(*conditions).limit(COUNTED).subquery()
    return session.scalar(select(func.count()).select_from(some)) or 0


def _last_set_aside(session: Session) -> LastError | None:
    for row in set_aside.newest(session, 1):
        return LastError(row.created_at, row.error or "", "/ui/outbox")
    return None
