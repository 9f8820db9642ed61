"""(7) The catalog's handlers: an order's event reserves stock or releases it."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from orders_service.catalog.errors import ReleaseDue
from orders_service.catalog.ledger import Ledger
from orders_service.contract.events import Event, OrderCancelled, OrderEvent, OrderPlaced
from orders_service.database.columns import Clock, utc_now
from orders_service.events.consumer import Received
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
    """Reserve or release stock for each event, in the log's order, and record the answers.

    Returns the events that contradict what was recorded for their order.
    """
    order_events = [(r.event, r.record) for r in received if isinstance(r.event, OrderEvent)]
    ledger = Ledger(session, [event for event, _ in order_events], check_price=check_price)
    answers: list[Event] = []
    refused: list[Refused] = []
    for event, record in order_events:
        try:
            if isinstance(event, OrderCancelled):
                ledger.cancel(event)
            elif answer := ledger.reserve(event):
                answers.append(answer)
        except Conflicting as error:
            refused.append((record, error))
    now = clock()
    ledger.write(session, now)
    outbox.record(session.connection(), answers, now)
    return refused


def on_order_discarded(
    session: Session, received: Sequence[Received], *, outbox: Outbox, clock: Clock = utc_now
) -> Sequence[Refused]:
    """Reject placed orders whose events an operator discards, with the reason *discarded*.

    Returns the cancellations that still have pieces to release: they can only be replayed.
    """
    order_events = [(r.event, r.record) for r in received if isinstance(r.event, OrderEvent)]
    ledger = Ledger(session, [event for event, _ in order_events], check_price=False)
    answers: list[Event] = []
    refused: list[Refused] = []
    for event, record in order_events:
        if isinstance(event, OrderPlaced):
            answers += filter(None, [ledger.discard(event)])
        elif ledger.must_be_replayed(event):
            pieces = f"{event.qty} × {event.product_id}"
            text = f"order {event.order_id} may still have {pieces} reserved. Replay this record"
            refused.append((record, ReleaseDue(text)))
    now = clock()
    ledger.write(session, now)
    outbox.record(session.connection(), answers, now)
    return refused
