"""Deletes old published events from the outbox, in chunks, between a worker's steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Row, bindparam, delete, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from orders_service import runtime
from orders_service.database.columns import Clock, utc_now
from orders_service.database.errors import in_short
from orders_service.database.transactions import execute_and_count
from orders_service.events.tables import OutboxRow
from orders_service.events.worker import Worker

# The size of a relay's batch. MariaDB turns a list of 1000 values or more into a temporary table.
CHUNK = 500
LOG_SECONDS = 60  # Rows become due all the time, so their number is logged once a minute.
FAILED_SECONDS = 60  # The pause after a failed purge. The worker's own work goes on.
PAUSE_SECONDS = 10.0  # The pause after neither the front nor the sweep had more to delete.
START = -1

# The index (lane, seq) skips the pending rows, however many there are.
HINTS = dict.fromkeys(("mysql", "mariadb"), "FORCE INDEX (ix_outbox_lane_seq)")
# Without the hint MariaDB may scan a small table, and wait for the locks of rows that others are writing.
DELETE_IN_MARIADB = text(
    "DELETE outbox FROM outbox FORCE INDEX (PRIMARY) WHERE seq IN :seqs AND lane IS NULL AND error IS NULL"
).bindparams(bindparam("seqs", expanding=True))
Chunk = Sequence[Row[int, str | None, datetime | None, datetime]]

log = structlog.get_logger()


class PurgingWorker:
    """Runs *worker*, and after each of its steps deletes a chunk of published events older than *keep*."""

    def __init__(
        self, worker: Worker, sessions: sessionmaker[Session], *, keep: timedelta, clock: Clock = utc_now
    ) -> None:
        self._worker = worker
        self._sessions = sessions
        self._keep = keep
        self._clock = clock
        self._purge = Purge()
        self._deleted = 0
        self._log_at = runtime.monotonic() + LOG_SECONDS

    def step(self) -> bool:
        """Run a step of the worker, then purge a chunk. True if the worker may have more to do."""
        busy = self._worker.step()
        if not self._purge.is_paused:
            self._purge_chunk()
        if self._deleted and runtime.monotonic() >= self._log_at:
            self._log()
        return busy

    def close(self) -> None:
        """Close the worker."""
        if self._deleted:
            self._log()
        self._worker.close()

    def _purge_chunk(self) -> None:
        try:
            with self._sessions() as session:
                self._deleted += self._purge.step(session, before=self._clock() - self._keep)
        except DBAPIError as error:
            self._purge.pause(FAILED_SECONDS)
            log.warning("cannot purge old events", error=in_short(error), again_in_seconds=FAILED_SECONDS)

    def _log(self) -> None:
        log.info("published events purged", rows=self._deleted)
        self._deleted, self._log_at = 0, runtime.monotonic() + LOG_SECONDS


@dataclass
class Purge:
    """Deletes one chunk of old events per call. It remembers its position, so a call costs what it deletes.

    Events are published roughly in the order of `seq`, so the next due rows follow the *front*, the last row
    deleted there. The *sweep* goes through all rows, one chunk every ten seconds, and finds the others: rows
    behind some with a wrong time, and rows that were published much later than their neighbours.
    """

    front: int = START
    sweep: int = START
    _sweeping: bool = False
    _paused_until: float = 0.0

    @property
    def is_paused(self) -> bool:
        """Whether the purge is pausing, because nothing more was due."""
        return runtime.monotonic() < self._paused_until

    def pause(self, seconds: float = PAUSE_SECONDS) -> None:
        """Pause for *seconds*."""
        self._paused_until = runtime.monotonic() + seconds

    def step(self, session: Session, *, before: datetime) -> int:
        """Delete at most one chunk of events that were published *before*. Returns how many. Commits."""
        chunk = _chunk(session, self.sweep if self._sweeping else self.front)
        due = [row.seq for row in chunk if _is_due(row, before)]
        deleted = _delete(session, due)
        if due:
            self.front = max(self.front, due[-1])
        if self._sweeping:
            self.sweep = chunk[-1].seq if len(chunk) == CHUNK else START
        more = len(chunk) == CHUNK and bool(due) and due[-1] == chunk[-1].seq
        if not more:
            if self._sweeping:
                self.pause()
            self._sweeping = not self._sweeping
        return deleted


def purge_all(session: Session, *, before: datetime) -> int:
    """Go through the whole outbox once. Returns how many rows were deleted. Commits each chunk."""
    after, deleted = START, 0
    while chunk := _chunk(session, after):
        deleted += _delete(session, [row.seq for row in chunk if _is_due(row, before)])
        after = chunk[-1].seq
    return deleted


def _chunk(session: Session, after: int) -> Chunk:
    """The next rows that are not pending, oldest first."""
    query = (
        select(OutboxRow.seq, OutboxRow.error, OutboxRow.published_at, OutboxRow.created_at)
        .where(OutboxRow.lane.is_(None), OutboxRow.seq > after)
        .order_by(OutboxRow.seq)
        .limit(CHUNK)
    )
    for dialect, hint in HINTS.items():
        query = query.with_hint(OutboxRow, hint, dialect)
    return session.execute(query).all()


def _is_due(row: Row[int, str | None, datetime | None, datetime], before: datetime) -> bool:
    """Whether the event was published *before*. One that change data capture sends is never marked, and so
    counts as published when it was recorded. One that was set aside is never due."""
    return row.error is None and (row.published_at or row.created_at) < before


def _delete(session: Session, seqs: Sequence[int]) -> int:
    """Delete exactly these rows, and lock no others."""
    if not seqs:
        session.rollback()
        return 0
    if session.get_bind().dialect.name == "sqlite":
        still = OutboxRow.lane.is_(None), OutboxRow.error.is_(None)
        deleted = execute_and_count(session, delete(OutboxRow).where(OutboxRow.seq.in_(seqs), *still))
    else:
        deleted = execute_and_count(session, DELETE_IN_MARIADB.bindparams(seqs=list(seqs)))
    session.commit()
    return deleted
