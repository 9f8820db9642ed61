"""The four verbs of an order: place, cancel, confirm, reject."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, Select, select, update
from sqlalchemy.orm import Session
from uuid_utils import UUID, uuid4, uuid5

from orders_service.database import Clock, changed, text_of
from orders_service.events.contract import Event, OrderCancelled, OrderPlaced, OrderRow, Topics
from orders_service.events.outbox import Outbox
from orders_service.many_rows import ManyRows
from orders_service.orders.errors import KeyReused, OrderNotFound, OrderRejected
from orders_service.orders.order import Order, Status

CHUNK = 1000
ROWS: ManyRows["Placement"] = ManyRows(
    Order.__table__,
    {
        name: attrgetter(name)
        for name in ("product_id", "qty", "unit_price", "total_price", "user_id", "order_id")
    },
    shared=("created_at", "updated_at"),
    same={"status": "PENDING", "version": 1},
)
KEYS = UUID("b3c1f0de-9a7e-5d24-8f43-0d6a51c2e970")


@dataclass(frozen=True, kw_only=True)
class Placement:
    """What a customer wants, with the id that the order will have. *keyed*: the id came from a key."""

    order_id: str
    user_id: str
    product_id: str
    qty: int
    unit_price: int
    keyed: bool = False
    traceparent: str | None = None

    @property
    def total_price(self) -> int:
        return self.qty * self.unit_price


@dataclass(frozen=True)
class Placed:
    """An order as it was placed, and whether an earlier request placed it."""

    order: Placement
    replayed: bool


def order_id(user_id: str, key: str | None) -> str:
    """The id of an order: a fresh one or, with an idempotency key, always the same for this user and key."""
    if key is None:
        return str(uuid4())
    # Nested, so that no two pairs of user and key make one text.
    return str(uuid5(uuid5(KEYS, user_id), key))


def place(
    connection: Connection,
    placements: Sequence[Placement],
    *,
    outbox: Outbox,
    clock: Clock,
    look_up_all: bool = False,
) -> list[Placed | KeyReused]:
    """Record each order with its event, in one go for all; one answer for each placement.

    A keyed order that exists is answered as it was placed. A twin that is committed meanwhile raises the
    database's IntegrityError: roll back and call again. *look_up_all*: the last attempt's outcome is unknown.
    """
    ids = [p.order_id for p in placements if p.keyed or look_up_all]
    known: dict[str, Row[Any] | Placement] = {order.order_id: order for order in _by_id(connection, ids)}
    fresh: list[Placement] = []
    answers: list[Placed | KeyReused] = []
    for placement in placements:
        earlier = known.get(placement.order_id)
        if earlier is None:
            known[placement.order_id] = placement
            fresh.append(placement)
            answers.append(Placed(placement, replayed=False))
        elif _asks_the_same(placement, earlier):
            answers.append(Placed(placement, replayed=placement.keyed))
        else:
            answers.append(KeyReused(placement.order_id))
    if fresh:
        now = text_of(clock())
        ROWS.write(connection, fresh, created_at=now, updated_at=now)
        outbox.record(connection, [e for placement in fresh for e in _events(placement, outbox.topics)])
    return answers


def cancel(
    session: Session,
    *,
    user_id: str,
    order_id: str,
    outbox: Outbox,
    clock: Clock,
    traceparent: str | None = None,
) -> Order:
    """Give the order up, once: cancelling it again changes nothing and is no error."""
    order = get(session, user_id, order_id)
    if order.status == Status.CANCELLED:
        return order
    moved = move(
        session, [order_id], Status.CANCELLED, allowed=(Status.PENDING, Status.CONFIRMED), now=clock()
    )
    session.refresh(order)
    if moved:
        outbox.record(session.connection(), [OrderCancelled(**_facts(order), traceparent=traceparent)])
    elif order.status == Status.REJECTED:
        raise OrderRejected(order_id)
    return order


def resend(session: Session, *, placed_before: datetime, outbox: Outbox) -> int:
    """Record the placing of orders once more that are still pending; how many. Commits each chunk."""
    last, count = -1, 0
    while orders := session.scalars(
        select(Order)
        .where(Order.status == Status.PENDING, Order.id > last, Order.created_at <= placed_before)
        .order_by(Order.id)
        .limit(CHUNK)
    ).all():
        outbox.record(session.connection(), [OrderPlaced(**_facts(order)) for order in orders])
        last, count = orders[-1].id, count + len(orders)
        session.commit()
    return count


def confirm(session: Session, order_ids: Collection[str], *, now: datetime) -> int:
    """Confirm those that are still pending; how many that were."""
    return move(session, order_ids, Status.CONFIRMED, allowed=(Status.PENDING,), now=now)


def reject(session: Session, order_ids: Collection[str], reason: str, *, now: datetime) -> int:
    """Reject those that are still pending; how many that were."""
    return move(session, order_ids, Status.REJECTED, allowed=(Status.PENDING,), now=now, reason=reason)


def move(
    session: Session,
    order_ids: Collection[str],
    status: Status,
    *,
    allowed: Collection[Status],
    now: datetime,
    reason: str | None = None,
) -> int:
    """Change the status of those orders whose status allows it, in one statement; how many changed.

    Reading first and writing after would lose: a cancelled order would end confirmed, its pieces given back.
    """
    return changed(
        session,
        update(Order)
        .where(Order.order_id.in_(order_ids), Order.status.in_(allowed))
        .values(status=status, reason=reason, version=Order.version + 1, updated_at=now),
    )


def get(session: Session, user_id: str, order_id: str) -> Order:
    """The customer's order; raises `OrderNotFound`."""
    order = session.scalar(select(Order).where(Order.order_id == order_id, Order.user_id == user_id))
    if order is None:
        raise OrderNotFound(order_id)
    return order


def listed(user_id: str) -> Select[Any]:
    """The customer's orders. Their `id` is the order in which they were placed."""
    return select(Order.__table__).where(Order.user_id == user_id)


def oldest_pending(session: Session) -> Order | None:
    """The order that has waited longest for its answer."""
    return session.scalar(select(Order).where(Order.status == Status.PENDING).order_by(Order.id).limit(1))


def _by_id(connection: Connection, order_ids: Sequence[str]) -> Sequence[Row[Any]]:
    if not order_ids:
        return []
    return connection.execute(select(Order.__table__).where(Order.order_id.in_(order_ids))).all()


def _asks_the_same(placement: Placement, order: Row[Any] | Placement) -> bool:
    return (placement.user_id, placement.product_id, placement.qty, placement.unit_price) == (
        order.user_id,
        order.product_id,
        order.qty,
        order.unit_price,
    )


def _events(placement: Placement, topics: Topics) -> Iterator[Event]:
    """What is recorded when the order is placed."""
    yield OrderPlaced(**_facts(placement), traceparent=placement.traceparent)
    if topics.sink:
        yield OrderRow(**_facts(placement), traceparent=placement.traceparent)


def _facts(order: Order | Placement) -> dict[str, Any]:
    return {
        "order_id": order.order_id,
        "product_id": order.product_id,
        "qty": order.qty,
        "unit_price": order.unit_price,
        "total_price": order.total_price,
        "user_id": order.user_id,
    }
