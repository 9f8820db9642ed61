"""Where records rest that were given up on, whole and with their reason."""

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import structlog
from sqlalchemy import func, insert, select, tuple_
from sqlalchemy.orm import Session

from orders_service.database import Clock
from orders_service.events.broker import Record
from orders_service.events.errors import RecordError
from orders_service.events.tables import DeadLetter

# Of a record, at most. As text it is twice that; MariaDB takes 16 MiB, and hangs up on who sends more.
KEPT_BYTES = 1_048_576
KEPT_OF_KEY = 1024  # Bytes, of a record that is cut.
DETAIL = 10_000  # Characters.

log = structlog.get_logger()

Refused = tuple[Record, RecordError]


def keep(session: Session, refused: Sequence[Refused], *, group: str, clock: Clock) -> list[Record]:
    """Write *refused* down in the transaction of their batch; one that is kept already stays as it is.

    Returns those that wait for somebody: not what came again after it was replayed or discarded.
    """
    place = (DeadLetter.topic, DeadLetter.partition, DeadLetter.offset, DeadLetter.record_timestamp)
    places = {_place(record): (record, error) for record, error in refused}
    if not places:
        return []
    waiting = {at: record for at, (record, _) in places.items()}
    known = select(*place, DeadLetter.resolution).where(tuple_(*place).in_(list(places)))
    for kept in session.execute(known):
        at = kept.topic, kept.partition, kept.offset, kept.record_timestamp
        del places[at]
        if kept.resolution:
            del waiting[at]
    for whole, error in places.values():
        record, detail = _cut(whole, str(error)[:DETAIL])
        log.error("dead letter", record=str(record), reason=error.reason, detail=detail)
        session.execute(
            insert(DeadLetter).values(
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                record_timestamp=record.timestamp,
                consumer_group=group,
                key=record.key,
                value=record.value,
                headers=json.dumps(
                    [[name, base64.b64encode(value or b"").decode()] for name, value in record.headers]
                ),
                reason=error.reason,
                detail=detail,
                created_at=clock(),
            )
        )
    return list(waiting.values())


def _cut(record: Record, detail: str) -> tuple[Record, str]:
    """What is kept of a record, and the detail, which says so if that is not all.

    A value that is cut loses its last byte, too: no replay can take it for the whole.
    """
    size = len(record.key or b"") + len(record.value or b"")
    size += sum(len(name.encode()) + len(value or b"") for name, value in record.headers)
    if size <= KEPT_BYTES:
        return record, detail
    key = record.key and record.key[:KEPT_OF_KEY]
    value = record.value and record.value[:KEPT_BYTES].rstrip()[:-1]
    detail += f" (cut, without headers: the record has {size} bytes, and is whole in the log only)"
    return replace(record, key=key, value=value, headers=()), detail


def find(
    session: Session, *, place: str | None = None, reason: str | None = None, resolved: bool = False
) -> Iterator[DeadLetter]:
    """Dead letters, oldest first; those that were replayed or discarded only if *resolved*."""
    query = select(DeadLetter).order_by(
        DeadLetter.created_at, DeadLetter.topic, DeadLetter.partition, DeadLetter.offset
    )
    if reason is not None:
        query = query.where(DeadLetter.reason == reason)
    if not resolved:
        query = query.where(DeadLetter.resolution.is_(None))
    return (letter for letter in session.scalars(query).all() if place in (None, place_of(letter)))


def count(session: Session) -> int:
    """How many wait for somebody to replay or discard them. They are few, and no index is kept for them."""
    waiting = select(func.count()).select_from(DeadLetter).where(DeadLetter.resolution.is_(None))
    return session.scalar(waiting) or 0


def resolve(session: Session, letter: DeadLetter, *, resolution: str, by: str, at: datetime) -> None:
    """Note what became of it."""
    letter.resolution, letter.resolved_by, letter.resolved_at = resolution, by, at
    session.add(letter)


def record_of(letter: DeadLetter) -> Record:
    """The record, as it was read."""
    headers = [(name, base64.b64decode(value)) for name, value in json.loads(letter.headers)]
    return Record(
        letter.topic,
        letter.partition,
        letter.offset,
        letter.record_timestamp,
        letter.key,
        letter.value,
        tuple(headers),
    )


def place_of(letter: DeadLetter) -> str:
    """`topic-partition@offset`, as logs name a record."""
    return f"{letter.topic}-{letter.partition}@{letter.offset}"


def _place(record: Record) -> tuple[str, int, int, int]:
    return record.topic, record.partition, record.offset, record.timestamp
