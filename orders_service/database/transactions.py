"""Transactions that are repeated after a conflict or a lost connection."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Executable
from sqlalchemy.engine import Connection, CursorResult
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from orders_service import crash_points, runtime
from orders_service.database import bounds
from orders_service.database.errors import is_lost, is_worth_a_retry

S = TypeVar("S", Session, Connection)
T = TypeVar("T")


class Failover:
    """The search for a server after one was lost. Several transactions may share it."""

    def __init__(self) -> None:
        self._until: float | None = None  # None while there is a server.

    def goes_on(self, error: DBAPIError) -> bool:
        """Whether to try again after this error, because a server was there a moment ago; pauses before."""
        if not is_lost(error):
            self._until = None
            return False
        now = runtime.monotonic()
        if self._until is None:
            self._until = now + bounds.FAILOVER_SECONDS
            return True
        if now >= self._until:
            return False
        runtime.sleep(runtime.uniform(0.02, 0.1))
        return True

    def end(self) -> None:
        """There is a server."""
        self._until = None


def in_transaction(
    session: S,
    work: Callable[[S], T],
    *,
    again: Callable[[S], T] | None = None,
    attempts: int = 5,
    failover: Failover | None = None,
) -> T:
    """Do *work* and commit it; after a conflict with another transaction, roll back and retry.

    A lost connection is retried, too: as long as the *failover* lasts, and then like a conflict. It leaves
    unknown whether the first attempt was committed, so *again* replaces *work* from the second attempt on.
    Any other error is raised after the roll-back, and so is the conflict that ends the last of *attempts*, or
    that comes more than `LOCK_SECONDS` after the start or, if later, after the last lost connection.
    """
    failover = failover or Failover()
    retries = _Retries(attempts)
    while True:
        try:
            result = work(session)
            crash_points.at("transaction.written")
            session.commit()
        except DBAPIError as error:
            _roll_back(session)
            if failover.goes_on(error):
                retries.restart_clock()
            elif not retries.allow(error):
                raise
            work = again or work
        except BaseException:
            _roll_back(session)
            raise
        else:
            failover.end()
            crash_points.at("transaction.committed")
            return result


class _Retries:
    """The attempts that a transaction has."""

    def __init__(self, attempts: int) -> None:
        self._left = attempts
        self._pause = 0.002
        self.restart_clock()

    def restart_clock(self) -> None:
        """Give conflicts the whole of `LOCK_SECONDS` again: until now, the time passed for something else."""
        self._until = runtime.monotonic() + bounds.LOCK_SECONDS

    def allow(self, error: DBAPIError) -> bool:
        """Whether to try again after this error; pauses for a few milliseconds before."""
        self._left -= 1
        # Do not retry after a long lock wait: the caller should back off, or answer its client, first.
        if not self._left or not is_worth_a_retry(error) or runtime.monotonic() > self._until:
            return False
        # After a duplicate key the other transaction has ended: a pause would only delay the group.
        if not isinstance(error, IntegrityError):
            runtime.sleep(self._pause * runtime.uniform(1, 10))
            self._pause *= 2
        return True


def _roll_back(session: Session | Connection) -> None:
    session.rollback()
    if isinstance(session, Connection) and not session.invalidated:
        # After a failed COMMIT SQLAlchemy sends no ROLLBACK. A session's connection goes back to the pool,
        # which sends one.
        try:
            session.dialect.do_rollback(session.connection)
        except Exception as error:
            session.invalidate(error)


def execute_and_count(session: Session | Connection, statement: Executable) -> int:
    """Execute *statement*, an UPDATE or DELETE. Returns the number of rows that it matched."""
    result = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return result.rowcount
