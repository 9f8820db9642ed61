"""The judge: names each promise that a history breaks.

A history is everything that the service wrote, together with the answers that customers got.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rig.customers import Customer

# The states of a reservation that agree with each status of its order.
AGREE = {
    "CONFIRMED": {"RESERVED"},
    "REJECTED": {"REJECTED"},
    "CANCELLED": {"RELEASED", "VOID", "REJECTED"},
}
STATES = {"stock.reserved.v1": {"RESERVED", "RELEASED"}, "stock.rejected.v1": {"REJECTED"}}
SHOWN = 5


@dataclass(frozen=True)
class Fact:
    """An event in the log: a record that one of our producers sent. The same event may come again."""

    place: tuple[str, int, int]
    id: str
    type: str
    order_id: str
    data: Mapping[str, Any]

    def __str__(self) -> str:
        topic, partition, offset = self.place
        return f"{self.type} of {self.order_id} at {topic}-{partition}@{offset}"


@dataclass
class History:
    """All that the service wrote and all answers to customers. Rows have the names of their columns."""

    told: Sequence[Customer] = ()
    orders: Mapping[str, Any] = field(default_factory=dict)
    reservations: Mapping[str, Any] = field(default_factory=dict)
    stock: Mapping[str, int] = field(default_factory=dict)
    supplied: Mapping[str, int] = field(default_factory=dict)
    outbox: Sequence[Any] = ()
    facts: Sequence[Fact] = ()  # In the order of each partition.
    dead: Sequence[Any] = ()
    poison: Collection[bytes] = ()  # Values that had to become dead letters.
    reordered: Collection[str] = ()  # Orders whose events somebody else has sent in another order.
    foreign: Collection[str] = ()  # Orders that another order service sent. We have no rows of them.
    log_was_read: bool = True  # False: `facts` is empty because nobody read the log.

    def of(self, type_: str) -> dict[str, Fact]:
        """The first delivery of each order's event of that type."""
        first: dict[str, Fact] = {}
        for fact in self.facts:
            if fact.type == type_:
                first.setdefault(fact.order_id, fact)
        return first


def violations(history: History, *, without: Collection[str] = ()) -> list[str]:
    """Each broken promise, with the first orders that show it. The promises *without* are not judged."""
    found = []
    for name, promise in PROMISES.items():
        if name not in without and (evidence := list(promise(history))):
            more = f" … and {len(evidence) - SHOWN} more" if len(evidence) > SHOWN else ""
            found.append(f"{name}:\n" + "\n".join(f"    {line}" for line in evidence[:SHOWN]) + more)
    return found


def answers_are_sane(history: History) -> Iterator[str]:
    """A customer gets no status but 201, 200, 409 or 503, and for one key always the same order."""
    for customer in history.told:
        yield from (f"{customer.name} was told {odd}" for odd in customer.odd)
        if len(set(customer.order_ids)) > 1:
            yield f"{customer.name} was told of {customer.order_ids} for one key"


def no_order_is_lost(history: History) -> Iterator[str]:
    """Every order that was answered with 201 has a row with the same content."""
    for customer in history.told:
        for order_id in customer.order_ids:
            row = history.orders.get(order_id)
            asked = (customer.name, customer.product, customer.qty)
            if row is None:
                yield f"{customer.name} was told 201 for {order_id}, which is not in the table"
            elif (row.user_id, row.product_id, row.qty) != asked:
                yield f"{order_id} was {asked}, the table says {(row.user_id, row.product_id, row.qty)}"


def no_event_is_lost(history: History) -> Iterator[str]:
    """Every recorded event is in the log, none is pending or set aside, and no order lacks its events."""
    logged = {fact.id for fact in history.facts}
    spoilt = {bytes(letter.value or b"") for letter in history.dead}
    for row in history.outbox:
        named = f"{row.type} of {row.aggregateid}"
        if row.error is not None:
            yield f"{named} was set aside: {row.error}"
        elif row.lane is not None:
            yield f"{named} is still pending in {row.lane}"
        elif history.log_was_read and row.id not in logged and row.payload.encode() not in spoilt:
            yield f"{named} is marked as published, and is not in {row.topic}"
    recorded = {(row.type, row.aggregateid) for row in history.outbox}
    for order_id, row in history.orders.items():
        if ("order.placed.v1", order_id) not in recorded:
            yield f"{order_id} has no order.placed.v1"
        if row.status == "CANCELLED" and ("order.cancelled.v1", order_id) not in recorded:
            yield f"{order_id} is CANCELLED and has no order.cancelled.v1"


def no_ghosts(history: History) -> Iterator[str]:
    """No order exists that no customer placed; no event or reservation lacks its order or contradicts it."""
    asked = {customer.name: customer for customer in history.told}
    users: dict[str, str] = {}
    for order_id, row in history.orders.items():
        if row.user_id not in asked:
            yield f"no customer placed {order_id} of {row.user_id}"
        elif row.user_id in users:
            yield f"{row.user_id} placed one order and has {users[row.user_id]} and {order_id}"
        users[row.user_id] = order_id
    for order_id in sorted(history.reservations.keys() - history.orders.keys() - set(history.foreign)):
        yield f"the reservation of {order_id} has no order"
    for fact in history.facts:
        if fact.order_id not in history.foreign and (contradiction := _contradiction(history, fact)):
            yield f"{fact}, and {contradiction}"


def stock_adds_up(history: History) -> Iterator[str]:
    """Per product: stock is not negative, and stock + Σ reserved = Σ supplied."""
    reserved: dict[str, int] = defaultdict(int)
    for row in history.reservations.values():
        reserved[row.product_id] += row.qty if row.state == "RESERVED" else 0
    for product, stock in history.stock.items():
        if stock < 0:
            yield f"{product} has a stock of {stock}"
        if stock + reserved[product] != history.supplied[product]:
            yield (
                f"{product}: stock {stock} + reserved {reserved[product]} is not"
                f" {history.supplied[product]} supplied"
            )


def first_deliveries_are_in_order(history: History) -> Iterator[str]:
    """The log has an order's first *placed* event before its first *cancelled* event."""
    placed = history.of("order.placed.v1")
    for order_id, cancelled in history.of("order.cancelled.v1").items():
        first = placed.get(order_id)
        if order_id in history.reordered:
            continue
        if first is None or first.place[:2] != cancelled.place[:2] or first.place > cancelled.place:
            yield f"{cancelled} comes before {first}"


def every_order_is_answered(history: History) -> Iterator[str]:
    """No order is PENDING; its status agrees with its reservation and with what its customer was told."""
    for order_id in history.foreign:
        if order_id not in history.reservations:
            yield f"{order_id} of another order service has no reservation"
    for order_id, row in history.orders.items():
        reservation = history.reservations.get(order_id)
        state, reason = (reservation.state, reservation.reason) if reservation else (None, None)
        if row.status == "PENDING":
            yield f"{order_id} is still PENDING, its reservation {state}"
        elif state not in AGREE[row.status]:
            yield f"{order_id} is {row.status}, its reservation {state}"
        elif row.status == "REJECTED" and row.reason != reason:
            yield f"{order_id} is REJECTED for {row.reason}, its reservation for {reason}"
    for customer in history.told:
        mine = [history.orders[id_] for id_ in customer.order_ids if id_ in history.orders]
        if customer.cancelled and any(row.status != "CANCELLED" for row in mine):
            yield f"{mine[0].order_id} is {mine[0].status}, its customer was told that it is cancelled"
        elif customer.cancelled is False and any(row.status != "REJECTED" for row in mine):
            yield f"{mine[0].order_id} is {mine[0].status}, its customer was told that it is rejected"


def the_log_decides(history: History) -> Iterator[str]:
    """The reservations are those that result from applying each product's events in the order of the log."""
    for order_id, decided in _decided_by(history.facts, history.supplied).items():
        row = history.reservations.get(order_id)
        found = (row.state, row.reason) if row else None
        if found != decided:
            yield f"the log says {decided} for {order_id}, its reservation is {found}"


def only_poison_is_dead(history: History) -> Iterator[str]:
    """Every poison record is a dead letter, and no other record is one."""
    values = {bytes(letter.value or b"") for letter in history.dead}
    for letter in history.dead:
        if bytes(letter.value or b"") not in history.poison:
            yield (
                f"{letter.topic}-{letter.partition}@{letter.offset} is a dead letter:"
                f" {letter.reason}, {letter.detail[:200]}"
            )
    for value in sorted(set(history.poison) - values):
        yield f"a poison record is no dead letter: {len(value)} bytes, {value[:60]!r}"


Promise = Callable[[History], Iterator[str]]
JUDGED: tuple[Promise, ...] = (
    *(answers_are_sane, no_order_is_lost, no_event_is_lost, no_ghosts, stock_adds_up),
    *(first_deliveries_are_in_order, every_order_is_answered, the_log_decides, only_poison_is_dead),
)
PROMISES = {promise.__name__: promise for promise in JUDGED}


def _contradiction(history: History, fact: Fact) -> str | None:
    """How the tables contradict the event; None if they do not."""
    order, reservation = history.orders.get(fact.order_id), history.reservations.get(fact.order_id)
    if order is None:
        return "there is no such order"
    cancels = fact.type == "order.cancelled.v1"
    if (fact.data["productId"], fact.data["qty"]) != (order.product_id, -order.qty if cancels else order.qty):
        return f"it says {dict(fact.data)}, the order {order.qty} × {order.product_id}"
    if cancels and order.status != "CANCELLED":
        return f"the order is {order.status}"
    state = reservation.state if reservation else None
    if state not in STATES.get(fact.type, {state}):
        return f"its reservation is {state}"
    return None


def _decided_by(facts: Sequence[Fact], supplied: Mapping[str, int]) -> dict[str, tuple[str, str | None]]:
    """A small model of the catalog, with no database, no batches and no retries."""
    stock = dict(supplied)
    decided: dict[str, tuple[str, str | None]] = {}
    for fact in facts:
        product, qty = fact.data["productId"], abs(fact.data["qty"])
        known = decided.get(fact.order_id)
        if fact.type == "order.placed.v1" and known is None:
            if product not in stock:
                decided[fact.order_id] = "REJECTED", "unknown-product"
            elif stock[product] < qty:
                decided[fact.order_id] = "REJECTED", "insufficient-stock"
            else:
                decided[fact.order_id] = "RESERVED", None
                stock[product] -= qty
        elif fact.type == "order.cancelled.v1" and known is None:
            decided[fact.order_id] = "VOID", None
        elif fact.type == "order.cancelled.v1" and known == ("RESERVED", None):
            decided[fact.order_id] = "RELEASED", None
            stock[product] += qty
    return decided
