"""A worker that also purges its database's outbox, a chunk at a time between its steps."""

import time
from datetime import timedelta

import structlog
from sqlalchemy.orm import Session, sessionmaker

from orders_service.database import Clock, utc_now
from orders_service.events.purge import purge
from orders_service.workers.loop import Worker

REST_SECONDS = 60  # Once nothing is old enough to be deleted.

log = structlog.get_logger()


class Purging:
    """Turns *worker*, and after each of its steps deletes a chunk of what is older than *keep*."""

    def __init__(
        self, worker: Worker, sessions: sessionmaker[Session], *, keep: timedelta, clock: Clock = utc_now
    ) -> None:
        self._worker = worker
        self._sessions = sessions
        self._keep = keep
        self._clock = clock
        self._rests_until = 0.0

    def step(self) -> bool:
        """A step of the worker, which alone says whether there may be more; then a chunk."""
        busy = self._worker.step()
        if time.monotonic() >= self._rests_until:
            with self._sessions() as session:
                rows = next(purge(session, before=self._clock() - self._keep), 0)
            if rows:
                log.info("published events purged", rows=rows)
            else:
                self._rests_until = time.monotonic() + REST_SECONDS
        return busy

    def close(self) -> None:
        """Let the worker go."""
        self._worker.close()
