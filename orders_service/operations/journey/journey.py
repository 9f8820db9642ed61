"""One order's journey: its title, and its entries in the order in which they happened."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row

from orders_service.catalog.product import State
from orders_service.operations.journey.entry import Entry, arranged
from orders_service.operations.journey.known import Known
from orders_service.operations.journey.spans import pieces, span, times
from orders_service.operations.journey.steps import steps, trace_id, waits_for
from orders_service.operations.journey.stored import PLACED
from orders_service.operations.reasons import in_words
from orders_service.orders.order import Status
from orders_service.printable import printable

ENTRIES = 100  # The most entries of a journey.
LATER = {  # What an order waits for, by the title of the first entry that has not come.
    "In the log": "not sent yet",
    "Reserved": "not reserved yet",
    "Answer in the log": "its answer is not sent yet",
    "Confirmed": "not confirmed yet",
    "Rejected": "not rejected yet",
}


@dataclass(frozen=True)
class Journey:
    """The journey of one order, as it is shown."""

    order: Row[Any]
    state: str  # pending, confirmed, rejected, cancelled or stopped
    title: str
    subtitle: str
    trace_id: str | None
    command: str
    entries: Sequence[Entry]

    def as_json(self) -> dict[str, Any]:
        """The journey as the API shows it, without the order."""
        return {
            "state": self.state,
            "title": self.title,
            "subtitle": self.subtitle,
            "traceId": self.trace_id,
            "command": self.command,
            "entries": [entry.as_json() for entry in self.entries],
        }


def journey(known: Known) -> Journey:
    """Tell the journey of an order."""
    causes = steps(known)
    entries = arranged(causes)
    state = _state(known, causes)
    return Journey(
        order=known.order,
        state=state,
        title=_title(known, state, causes),
        subtitle=_subtitle(known, len(entries)),
        trace_id=trace_id(known),
        command=f"orders-service orders show {shlex.quote(known.order.order_id)} --journey",
        entries=entries[:ENTRIES],
    )


def _state(known: Known, entries: Sequence[Entry]) -> str:
    if (
        _is_open(known)
        and any(entry.mark in ("stopped", "hold") for entry in entries)
        and not waits_for(entries)
    ):
        return "stopped"
    return str(known.order.status).lower()


def _is_open(known: Known) -> bool:
    """Whether something has still to happen: an answer or, after a cancellation, the release."""
    reservation = known.catalog.reservation if known.catalog else None
    is_reserved = reservation is not None and reservation.state == State.RESERVED
    return known.order.status == Status.PENDING or (known.order.status == Status.CANCELLED and is_reserved)


def _title(known: Known, state: str, entries: Sequence[Entry]) -> str:
    order = known.order
    if state == "stopped":
        stopped = next(entry for entry in reversed(entries) if entry.mark in ("stopped", "hold"))
        title = stopped.title if stopped.kind == "dead-letter" else "Stopped: the broker refused the event"
        return f"Cancelled, but not released. {title}" if order.status == Status.CANCELLED else title
    if order.status == Status.PENDING:
        waiting = waits_for(entries)
        reason = LATER.get(waiting.title, "not answered yet") if waiting else "not answered yet"
        return f"Pending for {span(known.age)}: {reason}"
    length = span(order.updated_at - order.created_at)
    title = f"{str(order.status).capitalize()} {length} after it was placed"
    return f"{title}: {in_words(order.reason)}" if order.reason else title


def _subtitle(known: Known, entries: int) -> str:
    order = known.order
    product, user = printable(order.product_id), printable(order.user_id)
    told = f"{pieces(order.qty)} of {product} for {user}, {order.total_price:,} in all."
    sent = len(known.order_records.of(PLACED))
    if sent == 2:
        told += " It was sent twice; the second time changed nothing."
    elif sent > 2:
        told += f" It was sent {times(sent)}; only the first time changed something."
    if entries > ENTRIES:
        told += f" Only the first {ENTRIES} of its {entries} entries are shown."
    return told
