"""Resolves a dead letter: applies it again, or discards it."""

from typing import Literal

from sqlalchemy.orm import Session

from orders_service.contract.errors import Unreadable
from orders_service.database.columns import Clock, utc_now
from orders_service.database.transactions import in_transaction
from orders_service.events import dead_letter_search, dead_letters
from orders_service.events.consumer import Handler, Received, event_of, is_caused_by_a_record, verdict_on
from orders_service.events.dead_letter_search import Summary

Resolution = Literal["replayed", "discarded"]


def resolve(
    session: Session,
    letter: Summary,
    handler: Handler,
    *,
    resolution: Resolution,
    by: str,
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
        dead_letters.resolve(session, whole, resolution=resolution, by=by, at=clock())
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
