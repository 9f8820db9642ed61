"""The rows of one order in both databases. Each statement uses an index and reads few rows."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, Select, func, literal, select, tuple_

from orders_service.catalog.product import Reservation
from orders_service.contract.events import Event, OrderCancelled, OrderPlaced, StockRejected, StockReserved
from orders_service.events.brokers.port import Record
from orders_service.events.tables import DeadLetter, OutboxRow
from orders_service.orders.order import Order

ROWS = 50  # The most rows of an outbox, and the most dead letters, that a journey shows.
LETTERS_READ = (
    100  # Dead letters that are looked through where the log does not name their place: up to 1 MiB each.
)
VALUE_BYTES = 8192  # Of a dead letter, in which its order is looked for.
DETAIL = 1_000  # Characters of a dead letter's detail.
PLACED, CANCELLED = OrderPlaced.type, OrderCancelled.type
RESERVED, REJECTED = StockReserved.type, StockRejected.type

Rows = Sequence[Row[Any]]
OUTBOX: Sequence[Any] = (
    *(OutboxRow.seq, OutboxRow.id, OutboxRow.type, OutboxRow.topic, OutboxRow.lane, OutboxRow.error),
    *(OutboxRow.created_at, OutboxRow.published_at, OutboxRow.traceparent),
)
PLACE = (DeadLetter.topic, DeadLetter.partition, DeadLetter.offset)
LETTERS: Select[Any] = select(
    *PLACE,
    *(DeadLetter.record_timestamp, DeadLetter.consumer_group, DeadLetter.reason),
    func.substr(DeadLetter.detail, 1, DETAIL).label("detail"),
    *(DeadLetter.created_at, DeadLetter.resolution, DeadLetter.resolved_by, DeadLetter.resolved_at),
    *(DeadLetter.held_by, DeadLetter.held_at),
)


@dataclass(frozen=True)
class OfCatalog:
    """The rows of the catalog's database: its decision, and the answers in its outbox."""

    reservation: Row[Any] | None
    answers: Rows


def event_ids(order_id: str, *kinds: type[Event]) -> dict[str, str]:
    """The ids of an order's events, which are derived from it, each with the event's type."""
    return {kind(order_id=order_id, product_id="-", qty=1, **_more(kind)).id: kind.type for kind in kinds}


def _more(kind: type[Event]) -> dict[str, Any]:
    return {"reason": "-"} if kind is StockRejected else {}


def order_of(connection: Connection, order_id: str) -> Row[Any] | None:
    """The row of the order."""
    return connection.execute(select(Order.__table__).where(Order.order_id == order_id)).one_or_none()


def events_of(connection: Connection, ids: Collection[str]) -> Rows:
    """The rows of these events in the outbox, oldest first."""
    # With ORDER BY, MariaDB may read the table from its beginning, in the hope to find them soon.
    found = select(*OUTBOX).where(OutboxRow.id.in_(sorted(ids))).limit(ROWS)
    return sorted(connection.execute(found).all(), key=attrgetter("seq"))


def of_catalog(connection: Connection, order_id: str, ids: Collection[str]) -> OfCatalog:
    """The catalog's reservation of the order, and its answers."""
    reservation = select(Reservation.__table__).where(Reservation.order_id == order_id)
    return OfCatalog(connection.execute(reservation).one_or_none(), events_of(connection, ids))


def letters_at(connection: Connection, records: Sequence[Record]) -> Rows:
    """The dead letters of these records."""
    places = sorted({(record.topic, record.partition, record.offset) for record in records})[:ROWS]
    if not places:
        return []
    found = connection.execute(LETTERS.where(tuple_(*PLACE).in_(places)).limit(ROWS)).all()
    times = {(str(record), record.timestamp) for record in records}
    return [row for row in found if (place_of(row), row.record_timestamp) in times]


def letters_naming(connection: Connection, topic: str, order_id: str, since: datetime) -> Rows:
    """The open dead letters of a topic whose value names the order: of the newest since its time."""
    begin = func.substr(DeadLetter.value, 1, VALUE_BYTES)
    names_it = (func.instr(begin, literal(order_id.encode())) > 0).label("names_it")
    found = LETTERS.add_columns(names_it).where(DeadLetter.resolution.is_(None))
    waiting = found.where(DeadLetter.held_at.is_(None), DeadLetter.created_at >= since)
    on_hold = found.where(DeadLetter.held_at >= since)
    rows: list[Row[Any]] = []
    for newest in (
        waiting.order_by(DeadLetter.created_at.desc()),
        on_hold.order_by(DeadLetter.held_at.desc()),
    ):
        rows += connection.execute(newest.limit(LETTERS_READ))
    return [row for row in rows if row.names_it and row.topic == topic][:ROWS]


def place_of(letter: Row[Any]) -> str:
    """The place of a dead letter's record, as `str(record)` writes it."""
    return f"{letter.topic}-{letter.partition}@{letter.offset}"
