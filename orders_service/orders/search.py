"""Finds orders of all users for an operator, and the events of an order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from orders_service.contract import facts
from orders_service.contract.events import Event, OrderCancelled, OrderPlaced
from orders_service.contract.sink import SinkRecord
from orders_service.events.tables import OutboxRow
from orders_service.orders.errors import IdAmbiguous, OrderNotFound
from orders_service.orders.order import Order, Status

SHORT_ID = 8  # Characters of an id that the page shows, and a command takes.
LAST_CHARACTER = "\U0010ffff"  # No id that begins like another text sorts after that text with this.
CHUNK = 1000  # The most rows that one statement reads.
EVENTS = 100  # The newest outbox rows of an order. It has more only if it was sent again a hundred times.
KINDS: tuple[type[Event], ...] = (OrderPlaced, OrderCancelled, SinkRecord)
EVENT_COLUMNS: Sequence[Any] = (
    *(OutboxRow.seq, OutboxRow.id, OutboxRow.type, OutboxRow.topic, OutboxRow.lane),
    *(OutboxRow.created_at, OutboxRow.published_at, OutboxRow.error),
)


@dataclass(frozen=True)
class Filter:
    """A filter for orders. None means any."""

    user_id: str | None = None
    status: Status | None = None
    placed_before: datetime | None = None

    def matches(self, order: Row[Any]) -> bool:
        """Whether an order matches the conditions that the database has not checked by an index."""
        return self.status in (None, order.status) and (
            self.placed_before is None or order.created_at <= self.placed_before
        )


def find(session: Session, only: Filter) -> Iterator[Row[Any]]:
    """The orders that match *only*, the newest first. With `placed_before`, the oldest are first.

    Each statement reads the next `CHUNK` rows of the user, else of the status, else of the table: always by
    an index, in a transaction of its own that waits for no writer. With `placed_before` the search ends after
    a whole chunk of orders that were placed later.
    """
    oldest_first, last = only.placed_before is not None, None
    while True:
        query = select(Order.__table__).limit(CHUNK)
        if only.user_id is not None:
            query = query.where(Order.user_id == only.user_id)
        elif only.status is not None:
            query = query.where(Order.status == only.status)
        if last is not None:
            query = query.where(Order.id > last if oldest_first else Order.id < last)
        session.connection(execution_options={"read_only": True})
        rows = session.execute(query.order_by(Order.id if oldest_first else Order.id.desc())).all()
        session.rollback()
        yield from filter(only.matches, rows)
        if len(rows) < CHUNK or (only.placed_before and _all_after(only.placed_before, rows)):
            return
        last = rows[-1].id


def get(session: Session, order_id: str) -> Order:
    """The order of this id, of any user; raises `OrderNotFound`."""
    order = session.scalar(select(Order).where(Order.order_id == order_id))
    if order is None:
        raise OrderNotFound(order_id)
    return order


def whole_id(session: Session, text: str) -> str:
    """The id of the order whose id is *text*, or begins with it if that is at least `SHORT_ID` characters.

    Raises `OrderNotFound` and `IdAmbiguous`. Reads at most two entries of the index of the ids.
    """
    same = Order.order_id == text
    if len(text) >= SHORT_ID:
        same = Order.order_id.between(text, text + LAST_CHARACTER)
    found = session.scalars(select(Order.order_id).where(same).order_by(Order.order_id).limit(2)).all()
    if not found:
        raise OrderNotFound(text)
    if len(found) > 1 and found[0] != text:
        raise IdAmbiguous(text, found)
    return found[0]


def events(session: Session, order: Order) -> Sequence[Row[Any]]:
    """The rows of an order's events in the outbox, oldest first. They are found by their derived ids."""
    ids = [kind(**facts.as_dict(order)).id for kind in KINDS]
    newest = select(*EVENT_COLUMNS).where(OutboxRow.id.in_(ids)).order_by(OutboxRow.seq.desc()).limit(EVENTS)
    return session.execute(newest).all()[::-1]


def _all_after(time: datetime, orders: Sequence[Row[Any]]) -> bool:
    return all(order.created_at > time for order in orders)
