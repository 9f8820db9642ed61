"""Finds dead letters, without reading the contents of their records."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, func, or_, select
from sqlalchemy.orm import Session

from orders_service.events.dead_letters import ON_HOLD, WAITING
from orders_service.events.error_lines import SHOWN, error_line
from orders_service.events.tables import DeadLetter

CHUNK = 500

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
    DeadLetter.held_by,
    DeadLetter.held_at,
    DeadLetter.note,
)


class State(StrEnum):
    """What an operator has decided about a dead letter; WAITING if nothing yet."""

    WAITING = "waiting"
    HOLD = "hold"
    REPLAYED = "replayed"
    DISCARDED = "discarded"


UNRESOLVED = frozenset({State.WAITING, State.HOLD})
ANY_STATE = frozenset(State)


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
        if not (topic and _is_number(partition, 2**31) and _is_number(offset, 2**63)):
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
    held_by: str | None = None
    held_at: datetime | None = None
    note: str | None = None

    @property
    def state(self) -> State:
        return State(self.resolution) if self.resolution else State.HOLD if self.held_at else State.WAITING

    @property
    def error(self) -> str:
        """The first line of the detail, without what differs from record to record."""
        return error_line(self.detail)

    @property
    def record_id(self) -> RecordId:
        return RecordId(self.topic, self.partition, self.offset)


@dataclass(frozen=True)
class Filter:
    """A filter for dead letters. None means any. *error* is a text with the error line that they have."""

    record_id: RecordId | None = None
    group: str | None = None
    reason: str | None = None
    error: str | None = None
    states: frozenset[State] = UNRESOLVED

    def matches(self, letter: Summary) -> bool:
        """Whether a letter has the error, which the database has not checked."""
        return self._error_line is None or letter.error == self._error_line

    def has(self, letter: Summary) -> bool:
        """Whether a letter has the group, the reason and the error, if the filter names them."""
        return (
            self.group in (None, letter.group)
            and self.reason in (None, letter.reason)
            and self.matches(letter)
        )

    @cached_property
    def _error_line(self) -> str | None:
        return None if self.error is None else error_line(self.error)

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        """The filter as SQL, without the error."""
        conditions = (
            [or_(*(_is_in(state) for state in sorted(self.states)))] if self.states != ANY_STATE else []
        )
        if self.record_id:
            key = self.record_id.topic, self.record_id.partition, self.record_id.offset
            conditions += [column == value for column, value in zip(KEY, key, strict=False)]
        if self.group is not None:
            conditions.append(DeadLetter.consumer_group == self.group)
        if self.reason is not None:
            conditions.append(DeadLetter.reason == self.reason)
        return conditions


def find(session: Session, only: Filter) -> Iterator[Summary]:
    """The dead letters that match *only*, sorted by record. Reads in chunks, each in its own transaction."""
    for topic, partition in _partitions(session, only.record_id):
        last: tuple[int, int, str] = (-1, 0, "")
        while True:
            place = DeadLetter.topic == topic, DeadLetter.partition == partition
            query = select(*COLUMNS).where(*place, DeadLetter.offset >= last[0], *only.conditions)
            rows = session.execute(query.order_by(*KEY).limit(CHUNK)).all()
            session.rollback()
            yield from filter(only.matches, (Summary(*row) for row in rows if last < _order(row)))
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


def _is_in(state: State) -> ColumnElement[bool]:
    if state in UNRESOLVED:
        return and_(*(WAITING if state == State.WAITING else ON_HOLD))
    return DeadLetter.resolution == state.value


def _order(row: Row[Any]) -> tuple[int, int, str]:
    return row.offset, row.record_timestamp, row.consumer_group


def _is_number(text: str, end: int) -> bool:
    """Whether *text* is a number below *end*: its column holds no larger one."""
    return text.isascii() and text.isdigit() and len(text) < 20 and int(text) < end
