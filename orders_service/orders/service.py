"""Places, cancels, confirms and rejects orders, and sends the events of pending ones again."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any

from sqlalchemy import Connection, Row, select, update
from sqlalchemy.orm import Session
from uuid_utils import UUID, uuid5

from orders_service import runtime
from orders_service.contract import facts
from orders_service.contract.events import Event, OrderCancelled, OrderPlaced
from orders_service.contract.sink import SinkRecord
from orders_service.database.columns import Clock, text_of, utc_now
from orders_service.database.rows import RowWriter
from orders_service.database.transactions import execute_and_count
from orders_service.events.outbox import Outbox
from orders_service.orders.errors import KeyReused, OrderNotFound, OrderRejected, VersionMoved
from orders_service.orders.order import FIRST_VERSION, Order, Status

RESEND_CHUNK = 1000
INSERT_ORDERS: RowWriter["Placement"] = RowWriter(
    Order.__table__,
    {name: attrgetter(name) for name in facts.FACTS},
    per_call=("created_at", "updated_at"),
    constants={"status": "PENDING", "version": FIRST_VERSION},
)
ORDER_ID_NAMESPACE = UUID("b3c1f0de-9a7e-5d24-8f43-0d6a51c2e970")


@dataclass(frozen=True, kw_only=True)
class Placement(facts.OrderFacts):
    """A request for an order, with the order's id. *keyed*: the id comes from an idempotency key."""

    user_id: str
    unit_price: int
    total_price: int = field(init=False)
    keyed: bool = False
    traceparent: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "total_price", self.qty * self.unit_price)


@dataclass(frozen=True)
class Placed:
    """An order as it was placed. *replayed*: an earlier request placed it."""

    order: Placement
    replayed: bool


def new_order_id(user_id: str, key: str | None) -> str:
    """The id of a new order: random or, with an idempotency key, always the same for this user and key."""
    if key is None:
        return str(runtime.uuid4())
    # Nested: a text joined from user and key could be the same for two different pairs.
    return str(uuid5(uuid5(ORDER_ID_NAMESPACE, user_id), key))


def place(
    connection: Connection,
    placements: Sequence[Placement],
    *,
    outbox: Outbox,
    clock: Clock,
    look_up_all: bool = False,
) -> list[Placed | KeyReused]:
    """Record all the orders and their events together; return one answer for each placement.

    A keyed order that exists is answered as it was placed. If another transaction commits an order with the
    same id meanwhile, IntegrityError is raised: roll back and call again. *look_up_all* also looks for orders
    without a key, because it is unknown whether the last attempt was committed.
    """
    ids = [p.order_id for p in placements if p.keyed or look_up_all]
    known: dict[str, Row[Any] | Placement] = _by_id(connection, ids) if ids else {}
    fresh: list[Placement] = []
    answers: list[Placed | KeyReused] = []
    for placement in placements:
        earlier = known.get(placement.order_id)
        if earlier is None:
            known[placement.order_id] = placement
            fresh.append(placement)
            answers.append(Placed(placement, replayed=False))
        elif facts.values_of(placement) == facts.values_of(earlier):
            answers.append(Placed(placement, replayed=placement.keyed))
        else:
            answers.append(KeyReused(placement.order_id))
    if fresh:
        now = clock()
        INSERT_ORDERS.write(connection, fresh, created_at=text_of(now), updated_at=text_of(now))
        outbox.record(connection, _events(fresh, with_sink_records=outbox.topics.sink is not None), now)
    return answers


def cancel(
    session: Session,
    *,
    user_id: str,
    order_id: str,
    outbox: Outbox,
    clock: Clock,
    traceparent: str | None = None,
    versions: Collection[int] | None = None,
) -> Order:
    """Cancel the order and record the event. Cancelling it again changes nothing and is no error.

    Raises `VersionMoved` if *versions* are given and it has none of them.
    """
    order = get(session, user_id, order_id)
    if order.status == Status.CANCELLED:
        return order
    now = clock()
    moved = move(
        session,
        [order_id],
        Status.CANCELLED,
        allowed=(Status.PENDING, Status.CONFIRMED),
        now=now,
        versions=versions,
    )
    session.refresh(order)
    if moved:
        cancelled = OrderCancelled(**facts.as_dict(order), traceparent=traceparent)
        outbox.record(session.connection(), [cancelled], now)
    elif order.status == Status.CANCELLED:
        return order
    elif order.status == Status.REJECTED and (versions is None or order.version in versions):
        raise OrderRejected(order_id)
    else:
        raise VersionMoved(order_id, order.version)
    return order


def resend(session: Session, *, placed_before: datetime, outbox: Outbox, clock: Clock = utc_now) -> int:
    """Record `order.placed` again for orders still PENDING, so that the catalog repeats its answers.

    Returns the number of orders. Commits each chunk.
    """
    last, count = -1, 0
    while orders := session.scalars(
        select(Order)
        .where(Order.status == Status.PENDING, Order.id > last, Order.created_at <= placed_before)
        .order_by(Order.id)
        .limit(RESEND_CHUNK)
    ).all():
        send_again(session, orders, outbox=outbox, now=clock())
        last, count = orders[-1].id, count + len(orders)
        session.commit()
    return count


def send_again(session: Session, orders: Sequence[Order], *, outbox: Outbox, now: datetime) -> None:
    """Record `order.placed` again for *orders*. Does not commit."""
    outbox.record(session.connection(), [OrderPlaced(**facts.as_dict(order)) for order in orders], now)


def confirm(session: Session, order_ids: Collection[str], *, now: datetime) -> int:
    """Confirm those orders that are still PENDING; return how many were."""
    return move(session, order_ids, Status.CONFIRMED, allowed=(Status.PENDING,), now=now)


def reject(session: Session, order_ids: Collection[str], reason: str, *, now: datetime) -> int:
    """Reject those orders that are still PENDING; return how many were."""
    return move(session, order_ids, Status.REJECTED, allowed=(Status.PENDING,), now=now, reason=reason)


def move(
    session: Session,
    order_ids: Collection[str],
    status: Status,
    *,
    allowed: Collection[Status],
    now: datetime,
    reason: str | None = None,
    versions: Collection[int] | None = None,
) -> int:
    """Set *status* on those orders whose status is *allowed*, in one UPDATE; return how many changed.

    With *versions*, an order changes only if its version is one of them.

    With a SELECT before the UPDATE, updates could be lost: an order could be cancelled in between and end
    CONFIRMED, although its stock was released.
    """
    statement = update(Order).where(Order.order_id.in_(order_ids), Order.status.in_(allowed))
    if versions is not None:
        statement = statement.where(Order.version.in_(versions))
    values = {"status": status, "reason": reason, "version": Order.version + 1, "updated_at": now}
    return execute_and_count(session, statement.values(values))


def get(session: Session, user_id: str, order_id: str) -> Order:
    """The customer's order; raises `OrderNotFound`."""
    order = session.scalar(select(Order).where(Order.order_id == order_id, Order.user_id == user_id))
    if order is None:
        raise OrderNotFound(order_id)
    return order


def oldest_pending(session: Session) -> Order | None:
    """The oldest order that is still PENDING, or None."""
    return session.scalar(select(Order).where(Order.status == Status.PENDING).order_by(Order.id).limit(1))


def _by_id(connection: Connection, order_ids: Sequence[str]) -> dict[str, Row[Any] | Placement]:
    rows = connection.execute(select(Order.__table__).where(Order.order_id.in_(order_ids)))
    return {row.order_id: row for row in rows}


def _events(placements: Sequence[Placement], *, with_sink_records: bool) -> list[Event]:
    """The events of orders that are placed, each with its record for the sink *with_sink_records*."""
    events: list[Event] = []
    for placement in placements:
        known = facts.as_dict(placement) | {"traceparent": placement.traceparent}
        events.append(OrderPlaced(**known))
        if with_sink_records:
            events.append(SinkRecord(**known))
    return events
