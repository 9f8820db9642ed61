"""The record of operators' actions: who did what, when, on what, and what came of it.

An action with an idempotency key is done once: the same request again gets the recorded answer.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Row, insert, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from orders_service import runtime
from orders_service.database.columns import Clock, utc_now
from orders_service.database.transactions import execute_and_count, in_transaction
from orders_service.events.tables import Action

TARGET_MAX = OUTCOME_MAX = 512  # Characters. A longer text is cut.
LISTED = 50
RUNNING_SECONDS = 120.0  # After this time an action without an outcome is taken for one that was killed.
FAILED = "It failed. What it had done by then stays done; the same request does the rest."

log = structlog.get_logger()

Answer = Mapping[str, Any]  # JSON. Its member `done` is a sentence: what came of the action.


class KeyReused(Exception):
    """The idempotency key was used before, by the same operator, for another request."""


class StillRunning(Exception):
    """An earlier request with the same idempotency key has not ended."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """An operator's request. *key* is the idempotency key, and *content* all that makes the request."""

    action: str
    on: str
    by: str
    key: str | None = None
    content: object = None

    @property
    def digest(self) -> str:
        """A digest of the action and its content."""
        text = json.dumps([self.action, self.on, self.content], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Done:
    """The answer to an action. *replayed*: an earlier request with the same key got it, too."""

    answer: Answer
    replayed: bool = False


def once(
    session: Session, request: Request, work: Callable[[Session], Answer], *, clock: Clock = utc_now
) -> Done:
    """Do *work* and record it, in one transaction. Raises `KeyReused`."""

    def recorded(session: Session) -> Done:
        if known := _known(session, request):
            if known.answer is not None:
                return Done(json.loads(known.answer), replayed=True)
            raise KeyReused
        answer = work(session)
        key = request.key or str(runtime.uuid4())
        session.execute(insert(Action).values(_columns(request, key, clock) | _ended(answer)))
        return Done(answer)

    done = in_transaction(session, recorded)
    if not done.replayed:
        log_done(request, done.answer)
    return done


def in_parts(
    session: Session, request: Request, work: Callable[[], Answer], *, clock: Clock = utc_now
) -> Done:
    """Record that *work* begins, do it, and record what came of it. Raises `KeyReused` and `StillRunning`.

    The work commits its parts itself, and a part that is done again changes nothing: after a crash or an
    error, the same request with the same key does the rest.
    """

    key = request.key or str(runtime.uuid4())  # By which the row is found again.
    mine = Action.done_by == request.by, Action.idempotency_key == key, Action.answer.is_(None)

    def begin(session: Session) -> Done | None:
        known = _known(session, request)
        if known and known.answer is not None:
            return Done(json.loads(known.answer), replayed=True)
        if known:
            _take_over(session, mine, clock())
        else:
            session.execute(insert(Action).values(_columns(request, key, clock)))
        return None

    def end(values: Mapping[str, Any]) -> None:
        in_transaction(session, lambda s: s.execute(update(Action).where(*mine).values(values)))

    if begun := in_transaction(session, begin):
        return begun
    answer: Answer | None = None
    try:
        answer = work()
    finally:
        if answer is None:
            with suppress(SQLAlchemyError):  # The error of *work* says more.
                end({"outcome": FAILED})
    end(_ended(answer))
    log_done(request, answer)
    return Done(answer)


def _take_over(session: Session, action: Sequence[ColumnElement[bool]], now: datetime) -> None:
    """Begin an *action* again that failed or whose process was killed; raises `StillRunning`."""
    is_over = Action.outcome.is_not(None) | (Action.done_at <= now - timedelta(seconds=RUNNING_SECONDS))
    again = update(Action).where(*action, is_over).values(outcome=None, done_at=now)
    if not execute_and_count(session, again):
        raise StillRunning


def newest(session: Session) -> Sequence[Row[datetime, str, str, str, str | None]]:
    """The newest actions, newest first."""
    columns = Action.done_at, Action.done_by, Action.action, Action.target, Action.outcome
    return session.execute(select(*columns).order_by(Action.id.desc()).limit(LISTED)).all()


def log_done(request: Request, answer: Answer) -> None:
    """Log who did what, and what came of it."""
    log.info("operator's action", by=request.by, action=request.action, on=request.on, done=answer["done"])


def _known(session: Session, request: Request) -> Row[str, str | None] | None:
    """The row of an earlier request with this key; raises `KeyReused` if that was another request."""
    if request.key is None:
        return None
    columns = Action.request_digest, Action.answer
    same = Action.done_by == request.by, Action.idempotency_key == request.key
    known = session.execute(select(*columns).where(*same)).one_or_none()
    if known is not None and known.request_digest != request.digest:
        raise KeyReused
    return known


def _columns(request: Request, key: str, clock: Clock) -> dict[str, Any]:
    return {
        "done_at": clock(),
        "done_by": request.by,
        "action": request.action,
        "target": request.on[:TARGET_MAX],
        "idempotency_key": key,
        "request_digest": request.digest,
    }


def _ended(answer: Answer) -> dict[str, Any]:
    return {"outcome": str(answer["done"])[:OUTCOME_MAX], "answer": json.dumps(answer)}
