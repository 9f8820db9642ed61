"""The metrics of answered orders: how many there are, and how long their customers waited."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from heapq import nsmallest

from prometheus_client import Histogram
from sqlalchemy import Row, bindparam, select
from sqlalchemy.orm import Session

from orders_service.contract.events import Reason
from orders_service.database.columns import Clock
from orders_service.events.observations import observe_after_commit
from orders_service.metrics.answers import ANSWER_SECONDS, ANSWERED
from orders_service.orders.order import Order, Status

MEASURED = 20  # Orders of a batch whose times are read: a sample, so that a long batch stays as fast.
OTHER = "other"  # The label of all reasons that are not ours: another catalog may send any text.

Outcome = tuple[Status, str]  # The status of an order, and the reason of a rejection.

ORDERS = Order.__table__.c
# By the time of the change it finds the orders that this batch has moved, and no others. Built once, and
# without the ORM: it takes 0.5 ms, which is 2 to 3 % of a long batch.
MOVED = select(ORDERS.status, ORDERS.created_at).where(
    ORDERS.order_id.in_(bindparam("order_ids", expanding=True)),
    ORDERS.updated_at == bindparam("now"),
    ORDERS.status.in_((Status.CONFIRMED, Status.REJECTED)),
)
COUNTS = {
    (status, reason): ANSWERED.labels(status, reason)
    for status, reasons in ((Status.CONFIRMED, [""]), (Status.REJECTED, [*Reason, OTHER]))
    for reason in reasons
}
SECONDS: dict[str, Histogram] = {
    status: ANSWER_SECONDS.labels(status) for status in (Status.CONFIRMED, Status.REJECTED)
}


def rejection(reason: str) -> Outcome:
    """The outcome of an order that is rejected for *reason*."""
    known = (Status.REJECTED, reason)
    return known if known in COUNTS else (Status.REJECTED, OTHER)


def observe(
    session: Session,
    moved: Mapping[Outcome, int],
    order_ids: Collection[str],
    *,
    now: datetime,
    clock: Clock,
) -> None:
    """Count the orders that *moved* and measure some of *order_ids*, once their transaction is committed.

    *now* is the time of their change. Answers that came again have moved nothing.
    """
    if any(moved.values()):
        sample = {"order_ids": nsmallest(MEASURED, order_ids), "now": now}
        measured = session.connection().execute(MOVED, sample).all()
        observe_after_commit(session, partial(_count, moved, measured, clock))


def _count(moved: Mapping[Outcome, int], sample: Sequence[Row[str, datetime]], clock: Clock) -> None:
    for outcome, count in moved.items():
        COUNTS[outcome].inc(count)
    now = clock()
    for status, created_at in sample:
        SECONDS[status].observe(max(0.0, (now - created_at).total_seconds()))
