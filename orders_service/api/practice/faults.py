"""The faults of the practice: each is a row; its function acts, waits, and says what became of the orders."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from orders_service import runtime
from orders_service.api.practice.scene import COUNTED, Counts, Scene
from orders_service.api.practice.waiting import WAIT_SECONDS, looks, wait_until_answered
from orders_service.database.columns import utc_now
from orders_service.events.brokers.port import BrokerError, GroupTaken
from orders_service.orders.order import Status
from orders_service.processes import relay_of

BURST, RUSH, LAST_PIECES, BEHIND_POISON, WHILE_STOPPED = 200, 20, 5, 5, 5
SHARED = 20
RELAY, STOCK = relay_of("orders").command, "stock-consumer"
ASK_DOCTOR = "`orders-service doctor` says what is wrong."


@dataclass(frozen=True)
class Outcome:
    """What became of it, in sentences with real numbers. *path* is the screen that shows it.

    A fault that lasts has *undo*, which ends it.
    """

    text: str
    counts: Counts = field(default_factory=Counts)
    path: str | None = None
    undo: Callable[[Scene], "Outcome"] | None = None


Act = Callable[[Scene], Outcome]


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A fault to cause with a *button*. One that lasts is undone with *undo_button*."""

    name: str
    title: str
    about: str
    button: str
    cause: Act
    docs: str  # A page of this repository, about what the fault shows.
    undo_button: str = ""


def stop_relay(scene: Scene) -> Outcome:
    """Stop the relay, and place orders, whose events then wait."""
    scene.stock_up(WHILE_STOPPED)
    row, begun = scene.last_row(), time.monotonic()
    scene.workers.stop_one(RELAY)
    try:
        placed = scene.place(WHILE_STOPPED)
        counts = scene.statuses(placed.order_ids)
    except BaseException:
        scene.workers.start_one(RELAY)
        raise
    return Outcome(
        f"The relay is stopped. {len(placed.order_ids)} orders were placed since then and accepted;"
        " their events wait in the outbox.",
        counts,
        undo=partial(start_relay, row, begun),
    )


def start_relay(row: int, begun: float, scene: Scene) -> Outcome:
    """Start the relay, and wait for the answers to the orders after *row* that were placed until now."""
    stopped_for, last = time.monotonic() - begun, scene.last_row()
    statuses = partial(scene.statuses_between, row, last)
    waited, again = statuses().total(), time.monotonic()
    scene.workers.start_one(RELAY)
    counts, _ = wait_until_answered(statuses)
    seconds = time.monotonic() - again
    first = f"These are the first {COUNTED:,}. " if last - row > COUNTED else ""
    return Outcome(
        f"While the relay was stopped for {stopped_for:.0f} s, {waited} orders were accepted, and their"
        f" events waited in the outbox. {first}{_answers(counts, seconds, 'its start')}",
        counts,
    )


def poison(scene: Scene) -> Outcome:
    """Put a record that nobody can read in front of good orders."""
    value = f"practice {runtime.uuid4()}: this is not an event".encode()
    scene.stock_up(BEHIND_POISON)
    since = utc_now()
    scene.send(value)
    placed = scene.place(BEHIND_POISON)
    counts, _ = wait_until_answered(partial(scene.statuses, placed.order_ids))
    seconds = time.monotonic() - placed.begun
    found = (scene.dead_letter(value, since=since) for _ in looks())
    letter = next((each for each in found if each), None)
    if letter is None:
        return Outcome(f"The record is not among the dead letters after {WAIT_SECONDS} s. {ASK_DOCTOR}")
    kept = f"The consumer cannot read {letter[0]}, kept it as a dead letter ({letter[1]}) and went on."
    behind = f"Of the {BEHIND_POISON} orders behind it in the same partition"
    return Outcome(
        f"{kept} {behind}, {_answers(counts, seconds, 'they were placed')}", counts, "/ui/dead-letters"
    )


def oversell(scene: Scene) -> Outcome:
    """Place more orders at once than there are pieces."""
    scene.set_stock(LAST_PIECES)
    placed = scene.place(RUSH)
    counts, _ = wait_until_answered(partial(scene.statuses, placed.order_ids))
    return Outcome(
        f"{RUSH} orders came at once for the last {LAST_PIECES} pieces:"
        f" {counts[Status.CONFIRMED]} were confirmed and {counts[Status.REJECTED]} rejected."
        f"{_pending(counts)} {_sum(scene)}",
        counts,
        "/ui/stock",
    )


def burst(scene: Scene) -> Outcome:
    """Place many orders in a short time."""
    scene.stock_up(BURST)
    placed = scene.place(BURST)
    counts, most = wait_until_answered(partial(scene.statuses, placed.order_ids))
    seconds = time.monotonic() - placed.begun
    return Outcome(
        f"{BURST} orders were accepted within {_span(placed.seconds)}, and up to {most} of them waited"
        f" for the catalog. {_answers(counts, seconds, 'the first one was placed')}",
        counts,
        "/ui/orders",
    )


def second_consumer(scene: Scene) -> Outcome:
    """Start a second consumer of the stock, and place orders for both."""
    try:
        scene.workers.start_second(STOCK)
    except GroupTaken:
        return Outcome(
            "The second consumer was refused: the log on this machine takes one at a time, so no order is"
            f" handled by two. {_shared(scene)} With Kafka, two consumers share the partitions.",
            path="/ui/stock",
        )
    try:
        if not any(scene.stock_consumers() > 1 for _ in looks()):
            raise BrokerError("the second consumer has got no partition")
        text = f"Two consumers share the partitions; see the station Catalog of the Road. {_shared(scene)}"
    except BaseException:
        scene.workers.stop_second(STOCK)
        raise
    return Outcome(text, undo=end_second_consumer, path="/ui")


def end_second_consumer(scene: Scene) -> Outcome:
    """End the second consumer, and place orders for the one that is left."""
    scene.workers.stop_second(STOCK)
    return Outcome(f"The second consumer has ended, and the first one has all partitions. {_shared(scene)}")


def _shared(scene: Scene) -> str:
    scene.stock_up(SHARED)
    placed = scene.place(SHARED)
    counts, _ = wait_until_answered(partial(scene.statuses, placed.order_ids))
    seconds = time.monotonic() - placed.begun
    return f"Of {SHARED} orders, {_answers(counts, seconds, 'they were placed')} {_sum(scene)}"


def _answers(counts: Counts, seconds: float, since: str) -> str:
    confirmed, rejected = counts[Status.CONFIRMED], counts[Status.REJECTED]
    refused = f" and {rejected} rejected" if rejected else ""
    return (
        f"{confirmed} were confirmed{refused}, all within {_span(seconds)} after {since}.{_pending(counts)}"
    )


def _span(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def _pending(counts: Counts) -> str:
    waiting = counts[Status.PENDING]
    return f" {waiting} are still PENDING after {WAIT_SECONDS} s; {ASK_DOCTOR}" if waiting else ""


def _sum(scene: Scene) -> str:
    stock, reserved, supplied = scene.balance()
    sign = "=" if stock + reserved == supplied else "≠"
    return f"The stock adds up: {stock} in stock + {reserved} reserved {sign} {supplied} supplied."


FAULTS = (
    Fault(
        name="stop-relay",
        title="Stop the relay",
        about=f"Places {WHILE_STOPPED} orders while nobody sends their events. They are still accepted;"
        " their events wait in the outbox until the relay runs again.",
        button="Stop the relay",
        undo_button="Start the relay",
        cause=stop_relay,
        docs="docs/architecture.md#why-nothing-is-lost",
    ),
    Fault(
        name="poison",
        title="Poison",
        about=f"Puts a record that nobody can read in front of {BEHIND_POISON} good orders.",
        button="Send a poison record",
        cause=poison,
        docs="docs/operations.md#dead-letters-on-hold",
    ),
    Fault(
        name="oversell",
        title="Oversell",
        about=f"{RUSH} customers order the last {LAST_PIECES} pieces at the same moment, one each.",
        button="Sell them",
        cause=oversell,
        docs="docs/architecture.md#why-nothing-is-applied-twice",
    ),
    Fault(
        name="burst",
        title="Burst",
        about=f"Places {BURST} orders in a moment, to see them wait and drain.",
        button=f"Send {BURST} orders",
        cause=burst,
        docs="docs/performance.md#numbers",
    ),
    Fault(
        name="two-consumers",
        title="Two consumers",
        about=f"Starts a second consumer of the stock beside the first, and places {SHARED} orders.",
        button="Start a second one",
        undo_button="End the second one",
        cause=second_consumer,
        docs="docs/architecture.md#why-nothing-is-applied-twice",
    ),
)
