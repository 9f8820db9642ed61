"""Observations of a handler: metrics that count only when its transaction is committed."""

from collections.abc import Callable

from sqlalchemy.orm import Session

KEY = "observations"


def observe_after_commit(session: Session, observe: Callable[[], None]) -> None:
    """Let the consumer call *observe* once the session's transaction is committed.

    It is not called if the transaction is rolled back, nor by another caller of the handler, such as a replay
    of dead letters on the command line, whose metrics nobody reads. If the connection is lost during the
    COMMIT, the next attempt finds nothing to do, and nothing is observed.
    """
    session.info.setdefault(KEY, []).append(observe)


def forget(session: Session) -> None:
    """Drop the observations of an attempt that was rolled back."""
    session.info.pop(KEY, None)


def play(session: Session) -> None:
    """Call the observations of a transaction that was committed."""
    for observe in session.info.pop(KEY, ()):
        observe()
