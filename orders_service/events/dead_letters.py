"""Dead letters: records that were given up on, kept with their reason, and cut if they are too large."""

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from sqlalchemy import func, insert, select, text, tuple_
from sqlalchemy.orm import Session

from orders_service.contract import wire
from orders_service.contract.errors import RecordError
from orders_service.contract.wire import Headers
from orders_service.database.columns import Clock
from orders_service.events.brokers.port import Record
from orders_service.events.errors import DeadLettersFull
from orders_service.events.tables import DeadLetter
from orders_service.printable import printable

KEPT_BYTES = 1_048_576  # The most that is kept of a record.
KEPT_OF_KEY = 1024  # The most bytes of the key that are kept if a record is cut.
ID_IN_LOG = 64  # Characters of an id in the log: a record may come from anybody.
DETAIL = 10_000  # The most characters of the detail.
STATEMENT_BYTES = 4096  # The size of an INSERT without its values.
RECOUNTS_PER_LIMIT = 10  # The table is summed up again after each tenth of the bound.

log = structlog.get_logger()

Refused = tuple[Record, RecordError]

# The conditions have an index of their own.
WAITING = DeadLetter.resolution.is_(None), DeadLetter.held_at.is_(None)
ON_HOLD = DeadLetter.resolution.is_(None), DeadLetter.held_at.is_not(None)


@dataclass(frozen=True)
class Kept:
    """The dead letters of a batch."""

    unresolved: list[Refused]  # Without those that came again after an operator had decided about them.
    written: list[Refused]  # Those that were not in the table yet.


class ByteLimit:
    """The bytes that the unresolved dead letters may take in a database.

    The table is summed up only when a letter is to be written, and then once for each tenth of the bound,
    because other consumers may write to it, too.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._held = 0
        self._until_recount = 0

    def take(self, session: Session, size: int) -> None:
        """Take *size* bytes for a letter; raises `DeadLettersFull` if that would pass the bound."""
        self._until_recount -= size
        if self._until_recount < 0 or self._held + size > self._most:
            self._held = held_bytes(session)
            self._until_recount = self._most // RECOUNTS_PER_LIMIT
        if self._held + size > self._most:
            raise DeadLettersFull(self._held + size, self._most)
        self._held += size


def keep(
    session: Session, refused: Sequence[Refused], *, group: str, clock: Clock, limit: ByteLimit | None = None
) -> Kept:
    """Write *refused* in the transaction of their batch. A letter that is there already stays as it is."""
    place = (DeadLetter.topic, DeadLetter.partition, DeadLetter.offset, DeadLetter.record_timestamp)
    letters = {_place(record): (record, error) for record, error in refused}
    if not letters:
        return Kept([], [])
    waiting = dict(letters)
    known = select(*place, DeadLetter.resolution, DeadLetter.held_at).where(
        tuple_(*place).in_(list(letters)), DeadLetter.consumer_group == group
    )
    for kept in session.execute(known):
        at = kept.topic, kept.partition, kept.offset, kept.record_timestamp
        del letters[at]
        if kept.resolution or kept.held_at:
            del waiting[at]
    packet = _largest_packet(session) if letters else None
    for whole, error in letters.values():
        record, detail = _fitting(whole, str(error), packet)
        headers = _packed(record.headers)
        if limit:
            limit.take(session, _size(record, headers) + len(detail.encode()))
        log.error("dead letter", record=str(record), reason=error.reason, detail=detail, **_ids_of(whole))
        values = {"consumer_group": group, "reason": error.reason, "detail": detail, "created_at": clock()}
        session.execute(insert(DeadLetter).values(_columns(record) | {"headers": headers} | values))
    return Kept(unresolved=list(waiting.values()), written=list(letters.values()))


def _ids_of(record: Record) -> dict[str, str]:
    """The ids of a record's order, event and trace from its headers, shortened, for the log."""
    known = {
        "order_id": wire.header(record.headers, "ce_subject"),
        "event_id": wire.header(record.headers, "ce_id"),
        "trace_id": wire.trace_id_of(wire.header(record.headers, "traceparent")),
    }
    return {name: text[:ID_IN_LOG] for name, text in known.items() if text}


def _columns(record: Record) -> dict[str, object]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "record_timestamp": record.timestamp,
        "key": record.key,
        "value": record.value,
    }


def _fitting(record: Record, why: str, packet: int | None) -> tuple[Record, str]:
    """The record and the detail to keep. A record that is too large is cut, and the detail says so.

    A statement may have at most *packet* bytes, and each value in it is up to twice as long, as an SQL
    literal. A value that is cut loses its last byte, too, so that a replay cannot mistake it for the whole.
    """
    detail = printable(why)[: min(DETAIL, packet // 16 if packet else DETAIL)]
    most = KEPT_BYTES
    if packet:
        most = min(most, max(0, (packet - STATEMENT_BYTES) // 2 - 4 * len(detail)))
    if _size(record, _packed(record.headers)) <= most:
        return record, detail
    bytes_ = len(record.key or b"") + len(record.value or b"")
    bytes_ += sum(len(name.encode()) + len(value or b"") for name, value in record.headers)
    key = record.key and record.key[: min(KEPT_OF_KEY, most // 2)]
    value = record.value and record.value[: most - len(key or b"")].rstrip()[:-1]
    detail += (
        f" (truncated, without headers: the record has {bytes_} bytes, and only the log has all of them)"
    )
    return replace(record, key=key, value=value, headers=()), detail


def _largest_packet(session: Session) -> int | None:
    """The longest statement that the database accepts, in bytes; None if there is no such limit."""
    if session.get_bind().dialect.name == "sqlite":
        return None
    return int(session.scalar(text("SELECT @@max_allowed_packet")) or 0)


def _size(record: Record, headers: str) -> int:
    return len(record.key or b"") + len(record.value or b"") + len(headers.encode())


def _packed(headers: Headers) -> str:
    """Headers as JSON: [[name, value in base64 or null], …]."""
    return json.dumps(
        [[name, None if value is None else base64.b64encode(value).decode()] for name, value in headers],
        ensure_ascii=False,
    )


def held_bytes(session: Session) -> int:
    """The bytes that the unresolved letters take. Reads all of them."""
    sizes = [
        func.coalesce(func.length(column), 0)
        for column in (DeadLetter.key, DeadLetter.value, DeadLetter.headers, DeadLetter.detail)
    ]
    total = select(func.sum(sum(sizes[1:], sizes[0]))).where(DeadLetter.resolution.is_(None))
    return int(session.scalar(total) or 0)


def count(session: Session) -> int:
    """The number of dead letters that wait for a decision."""
    return session.scalar(select(func.count()).select_from(DeadLetter).where(*WAITING)) or 0


def count_on_hold(session: Session) -> int:
    """The number of dead letters that are on hold."""
    return session.scalar(select(func.count()).select_from(DeadLetter).where(*ON_HOLD)) or 0


def resolve(
    session: Session, letter: DeadLetter, *, resolution: str, by: str, note: str | None, at: datetime
) -> None:
    """Note that the letter was replayed or discarded, by whom and when. A new *note* replaces its note."""
    letter.resolution, letter.resolved_by, letter.resolved_at = resolution, by, at
    letter.note = note or letter.note
    session.add(letter)


def record_of(letter: DeadLetter) -> Record:
    """The record of a dead letter, as it was kept: a record that was cut has less value and no headers."""
    headers = [
        (name, None if value is None else base64.b64decode(value))
        for name, value in json.loads(letter.headers)
    ]
    return Record(
        letter.topic,
        letter.partition,
        letter.offset,
        letter.record_timestamp,
        letter.key,
        letter.value,
        tuple(headers),
    )


def _place(record: Record) -> tuple[str, int, int, int]:
    return record.topic, record.partition, record.offset, record.timestamp
