"""Finds dead letters, without reading the contents of their records."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, func, select
from sqlalchemy.orm import Session

from orders_service.events.tables import DeadLetter

CHUNK = 500
SHOWN = 200  # The number of characters of the detail that a list shows.

KEY = (
    DeadLetter.topic,
    DeadLetter.partition,
    DeadLetter.offset,
    DeadLetter.record_timestamp,
    DeadLetter.consumer_group,
)
COLUMNS = (
    *KEY,
    DeadLetter.reason,
    func.substr(DeadLetter.detail, 1, SHOWN),
    DeadLetter.created_at,
    DeadLetter.resolution,
    DeadLetter.resolved_by,
    DeadLetter.resolved_at,
)


class NotARecordId(ValueError):
    """The text does not name a record: it has not the form `topic-partition@offset`."""

    def __init__(self, text: str) -> None:
        super().__init__(
            f"{text} is not a record id. Write topic-partition@offset, as `dead-letters list` prints it"
        )


@dataclass(frozen=True)
class RecordId:
    """The address of a record in a log. As text: `topic-partition@offset`."""

    topic: str
    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> "RecordId":
        """Read *text*; raises `NotARecordId`."""
        where, _, offset = text.rpartition("@")
        topic, _, partition = where.rpartition("-")
        if not (topic and _is_number(partition) and _is_number(offset)):
            raise NotARecordId(text)
        return cls(topic, int(partition), int(offset))

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}@{self.offset}"


@dataclass(frozen=True)
class Summary:
    """A dead letter without the contents of its record."""

    topic: str
    partition: int
    offset: int
    record_timestamp: int
    group: str
    reason: str
    detail: str  # The first `SHOWN` characters.
    created_at: datetime
    resolution: str | None
    resolved_by: str | None
    resolved_at: datetime | None

    @property
    def record_id(self) -> RecordId:
        return RecordId(self.topic, self.partition, self.offset)


@dataclass(frozen=True)
class Filter:
    """A filter for dead letters. None means any."""

    record_id: RecordId | None = None
    group: str | None = None
    reason: str | None = None
    resolved: bool = False  # True finds those that were replayed or discarded, too.


def find(session: Session, only: Filter) -> Iterator[Summary]:
    """The dead letters that match *only*, sorted by record. Reads in chunks, each in its own transaction."""
    for topic, partition in _partitions(session, only.record_id):
        last: tuple[int, int, str] = (-1, 0, "")
        while True:
            query = _query(only, topic, partition).where(DeadLetter.offset >= last[0])
            rows = session.execute(query.order_by(*KEY).limit(CHUNK)).all()
            session.rollback()
            yield from (Summary(*row) for row in rows if last < _order(row))
            if len(rows) < CHUNK or _order(rows[-1]) == last:
                break
            last = _order(rows[-1])


def whole(session: Session, letter: Summary) -> DeadLetter | None:
    """The whole dead letter with its record; None if it was deleted."""
    key = (letter.topic, letter.partition, letter.offset, letter.record_timestamp, letter.group)
    return session.get(DeadLetter, key)


def _partitions(session: Session, record_id: RecordId | None) -> list[tuple[str, int]]:
    if record_id:
        return [(record_id.topic, record_id.partition)]
    both = (DeadLetter.topic, DeadLetter.partition)
    found = [
        (topic, partition) for topic, partition in session.execute(select(*both).distinct().order_by(*both))
    ]
    session.rollback()
    return found


def _query(only: Filter, topic: str, partition: int) -> Select[Any]:
    query = select(*COLUMNS).where(DeadLetter.topic == topic, DeadLetter.partition == partition)
    if only.record_id:
        query = query.where(DeadLetter.offset == only.record_id.offset)
    if only.group is not None:
        query = query.where(DeadLetter.consumer_group == only.group)
    if only.reason is not None:
        query = query.where(DeadLetter.reason == only.reason)
    if not only.resolved:
        query = query.where(DeadLetter.resolution.is_(None))
    return query


def _order(row: Row[Any]) -> tuple[int, int, str]:
    return row.offset, row.record_timestamp, row.consumer_group


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 20
