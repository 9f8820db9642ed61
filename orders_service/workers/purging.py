"""A worker that also purges its database's outbox, a chunk at a time between its steps."""

import time
from datetime import timedelta

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from orders_service.database import Clock, in_short, utc_now
from orders_service.events.purge import Purge
from orders_service.workers.loop import Worker

LOG_SECONDS = 60  # Rows become due all the time, so their number is logged once a minute.
FAILED_SECONDS = 60  # The pause after a failed purge. The worker's own work goes on.

log = structlog.get_logger()


class Purging:
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
        self._log_at = time.monotonic() + LOG_SECONDS

    def step(self) -> bool:
        """Run a step of the worker, then purge a chunk. True if the worker may have more to do."""
        busy = self._worker.step()
        if not self._purge.rests:
            self._purge_chunk()
        if self._deleted and time.monotonic() >= self._log_at:
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
            self._purge.rest(FAILED_SECONDS)
            log.warning(
                "old events could not be purged", error=in_short(error), again_in_seconds=FAILED_SECONDS
            )

    def _log(self) -> None:
        log.info("published events purged", rows=self._deleted)
        self._deleted, self._log_at = 0, time.monotonic() + LOG_SECONDS
