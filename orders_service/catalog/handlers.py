"""(7) An order's event reserves stock or releases it."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from orders_service.catalog.service import Ledger
from orders_service.database import Clock, utc_now
from orders_service.events.consumer import Received
from orders_service.events.contract import Event, OrderCancelled, OrderEvent, OrderPlaced
from orders_service.events.dead_letters import Refused
from orders_service.events.errors import Conflicting
from orders_service.events.outbox import Outbox


def on_order_events(
    session: Session,
    received: Sequence[Received],
    *,
    outbox: Outbox,
    check_price: bool = False,
    clock: Clock = utc_now,
) -> Sequence[Refused]:
    """Decide about each order, in the log's order, and record the answers; return those in conflict."""
    mine = [(r.event, r.record) for r in received if isinstance(r.event, OrderEvent)]
    ledger = Ledger(session, [event for event, _ in mine], check_price=check_price)
    answers: list[Event] = []
    refused: list[Refused] = []
    for event, record in mine:
        try:
            if isinstance(event, OrderCancelled):
                ledger.cancel(event)
            elif answer := ledger.place(event):
                answers.append(answer)
        except Conflicting as error:
            refused.append((record, error))
    ledger.write(session, clock())
    outbox.record(session, answers)
    return refused


def on_order_discarded(
    session: Session, received: Sequence[Received], *, outbox: Outbox, clock: Clock = utc_now
) -> Sequence[Refused]:
    """Answer placed orders whose events are given up on: *rejected, discarded*."""
    placed = [r.event for r in received if isinstance(r.event, OrderPlaced)]
    ledger = Ledger(session, placed, check_price=False)
    answers = [answer for event in placed if (answer := ledger.discard(event))]
    ledger.write(session, clock())
    outbox.record(session, answers)
    return []
