"""Decides about a dead letter: applies it again, discards it, or puts it on hold."""

from typing import Any, Literal

from sqlalchemy import Update, update
from sqlalchemy.orm import Session

from orders_service.contract.errors import Unreadable
from orders_service.database.columns import Clock, utc_now
from orders_service.database.transactions import execute_and_count, in_transaction
from orders_service.events import dead_letter_search, dead_letters
from orders_service.events.consumer import Handler, Received, event_of, is_caused_by_a_record, verdict_on
from orders_service.events.dead_letter_search import KEY, Summary
from orders_service.events.dead_letters import ON_HOLD
from orders_service.events.tables import DeadLetter

Resolution = Literal["replayed", "discarded"]


def resolve(
    session: Session,
    letter: Summary,
    handler: Handler,
    *,
    resolution: Resolution,
    by: str,
    note: str | None = None,
    clock: Clock = utc_now,
) -> str:
    """Let *handler* apply the letter's event, and note the resolution, in one transaction.

    Returns the problem, or "". A record that cannot be read is only ever discarded.
    """

    def work(session: Session) -> str:
        whole = dead_letter_search.whole(session, letter)
        if whole is None or whole.resolution:
            return f"another operator has {whole.resolution if whole else 'removed'} it in the meantime"
        record = dead_letters.record_of(whole)
        try:
            event = event_of(record)
        except Unreadable:
            if resolution == "replayed":
                raise
            event = None
        for _, error in handler(session, [Received(event, record)]) if event else ():
            raise error
        dead_letters.resolve(session, whole, resolution=resolution, by=by, note=note, at=clock())
        return ""

    try:
        return in_transaction(session, work)
    except Exception as error:
        if not is_caused_by_a_record(error):
            raise
        verdict = verdict_on(error)
        return f"{verdict.reason}: {verdict}"
    finally:
        session.expunge_all()  # Frees the memory of the record, which may be large.


def hold(session: Session, letter: Summary, *, by: str, note: str | None, clock: Clock = utc_now) -> str:
    """Put the letter on hold: it stays, but is not counted. Returns the problem, or ""."""
    unresolved = _update(letter).where(DeadLetter.resolution.is_(None))
    if _executed(session, unresolved.values(held_by=by, held_at=clock(), note=note)):
        return ""
    return "another operator has resolved or removed it in the meantime"


def release(session: Session, letter: Summary, *, note: str | None = None) -> str:
    """Let a letter that is on hold wait again, with another *note* or none. Returns the problem, or ""."""
    if _executed(session, _update(letter).where(*ON_HOLD).values(held_by=None, held_at=None, note=note)):
        return ""
    return "it is not on hold"


def _update(letter: Summary) -> Update:
    key = (letter.topic, letter.partition, letter.offset, letter.record_timestamp, letter.group)
    same = (column == value for column, value in zip(KEY, key, strict=True))
    return update(DeadLetter).where(*same)


def _executed(session: Session, statement: Any) -> bool:
    return in_transaction(session, lambda s: execute_and_count(s, statement)) > 0
