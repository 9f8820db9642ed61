"""Transactions that are repeated after a conflict or a lost connection."""

from collections.abc import Callable
from typing import TypeVar

from sqlalchemy import Executable
from sqlalchemy.engine import Connection, CursorResult
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from orders_service import crash_points, runtime
from orders_service.database import bounds
from orders_service.database.errors import is_worth_a_retry

S = TypeVar("S", Session, Connection)
T = TypeVar("T")


def in_transaction(
    session: S,
    work: Callable[[S], T],
    *,
    again: Callable[[S], T] | None = None,
    attempts: int = 5,
) -> T:
    """Do *work* and commit it; after a conflict with another transaction, roll back and retry.

    A lost connection is retried, too. It leaves unknown whether the first attempt was committed, so *again*
    replaces *work* from the second attempt on. Any other error is raised after the roll-back, and so is a
    conflict in the last attempt, or more than `LOCK_SECONDS` after the start. Before a retry it pauses for
    a few milliseconds, except after a duplicate key.
    """
    # Do not retry after a long lock wait: the caller should back off, or answer its client, first.
    enough = runtime.monotonic() + bounds.LOCK_SECONDS
    for attempt in range(1, attempts + 1):
        try:
            result = (again or work)(session) if attempt > 1 else work(session)
            crash_points.at("transaction.written")
            session.commit()
        except DBAPIError as error:
            _roll_back(session)
            if attempt == attempts or not is_worth_a_retry(error) or runtime.monotonic() > enough:
                raise
            # After a duplicate key the other transaction has ended: a pause would only delay the group.
            if not isinstance(error, IntegrityError):
                runtime.sleep(runtime.uniform(0.001, 0.01) * 2**attempt)
        except BaseException:
            _roll_back(session)
            raise
        else:
            crash_points.at("transaction.committed")
            return result
    raise AssertionError("attempts must be at least 1")


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
