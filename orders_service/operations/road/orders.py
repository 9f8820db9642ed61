"""The readings of the orders database: how many orders come, how many wait, how soon they are answered."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Engine, String, func, null, select, type_coerce

from orders_service.database.columns import utc_now
from orders_service.operations.road.event_tables import COUNTED, EventTables, EventTablesLook
from orders_service.orders.order import Order, Status

RECENT_SECONDS = 30
RECENT_MAX = 20_000  # Orders. Of more, the newest are counted.
ANSWERED = (Status.CONFIRMED, Status.REJECTED)
ANSWERS = 200  # The newest orders of these statuses are looked at.
ANSWERED_WITHIN = timedelta(minutes=15)
SECOND = func.substr(
    type_coerce(Order.created_at, String), 1, 19
)  # `2026-11-28 12:58:31`, in both databases.


@dataclass(frozen=True)
class Answers:
    """The times to the newest answers, of which *measured* were looked at.

    *last* is when the last one came, however long ago.
    """

    median_seconds: float | None
    p99_seconds: float | None
    measured: int
    last: datetime


@dataclass(frozen=True)
class OrdersReading:
    """The state of the orders database. *recent* are the orders of each second, by status."""

    newest_id: int
    pending: int  # Counted up to `COUNTED`.
    newest_pending_seconds: float | None
    recent: Sequence[tuple[datetime, dict[str, int]]]
    answers: Answers | None
    events: EventTables


class OrdersLook:
    """Reads the orders database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._events = EventTablesLook()

    def read(self) -> OrdersReading:
        """The present state."""
        with self._engine.connect().execution_options(read_only=True) as connection:
            now = utc_now()
            newest = connection.scalar(select(func.max(Order.id))) or 0
            return OrdersReading(
                newest_id=newest,
                pending=_pending(connection),
                newest_pending_seconds=_newest_pending(connection, now),
                recent=_recent(connection, newest, now),
                answers=_answers(connection, now),
                events=self._events.read(connection),
            )

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()


def _pending(connection: Connection) -> int:
    some = select(Order.id).where(Order.status == Status.PENDING).limit(COUNTED).subquery()
    return connection.scalar(select(func.count()).select_from(some)) or 0


def _newest_pending(connection: Connection, now: datetime) -> float | None:
    """For how long the newest order that waits has waited: each other one has waited longer."""
    newest = select(Order.created_at).where(Order.status == Status.PENDING).order_by(Order.id.desc())
    placed = connection.scalar(newest.limit(1))
    return None if placed is None else max(0.0, (now - placed).total_seconds())


def _recent(connection: Connection, newest: int, now: datetime) -> Sequence[tuple[datetime, dict[str, int]]]:
    """The orders of the last seconds, oldest second first. Seconds without orders are there, too."""
    end = now.replace(microsecond=0)
    seconds = [end - timedelta(seconds=n) for n in range(RECENT_SECONDS - 1, -1, -1)]
    rows = connection.execute(
        select(SECOND.label("second"), Order.status, func.count().label("orders"))
        .where(Order.id > newest - RECENT_MAX, Order.created_at >= seconds[0])
        .group_by(SECOND, Order.status)
        .order_by(null())
    )
    found: dict[datetime, dict[str, int]] = {second: {} for second in seconds}
    for row in rows:
        at = datetime.fromisoformat(row.second).replace(tzinfo=UTC)
        if at in found:
            found[at][row.status] = row.orders
    return list(found.items())


def _answers(connection: Connection, now: datetime) -> Answers | None:
    rows: list[Any] = []
    for status in ANSWERED:
        newest = select(Order.id, Order.created_at, Order.updated_at).where(Order.status == status)
        rows += connection.execute(newest.order_by(Order.id.desc()).limit(ANSWERS))
    if not rows:
        return None
    rows = sorted(rows, key=attrgetter("id"), reverse=True)[:ANSWERS]
    seconds = sorted(
        (row.updated_at - row.created_at).total_seconds()
        for row in rows
        if now - row.updated_at <= ANSWERED_WITHIN
    )
    return Answers(
        median_seconds=_share(seconds, 0.5),
        p99_seconds=_share(seconds, 0.99),
        measured=len(seconds),
        last=max(row.updated_at for row in rows),
    )


def _share(values: Sequence[float], share: float) -> float | None:
    """The value that this share of the sorted *values* does not pass; None without values."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else None
