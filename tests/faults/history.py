"""All that stands in tables and logs after a fault: does it keep what was promised?"""

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import kafka
from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from orders_service.catalog.product import Product, Reservation, Supply
from orders_service.events.brokers.port import Record
from orders_service.events.tables import DeadLetter, OutboxRow
from orders_service.orders.order import Order
from tests.databases import Databases
from tests.faults.customers import Customer

AGREE = {
    "CONFIRMED": {"RESERVED"},
    "REJECTED": {"REJECTED"},
    "CANCELLED": {"RELEASED", "VOID", "REJECTED"},
}
STATES = {"stock.reserved.v1": {"RESERVED", "RELEASED"}, "stock.rejected.v1": {"REJECTED"}}
SHOWN = 5


@dataclass(frozen=True)
class Fact:
    """A record of one of our producers: an event that was delivered, perhaps not for the first time."""

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
    """What was written, what was said, and what customers were told."""

    told: Sequence[Customer]
    orders: Mapping[str, Row[Any]]
    reservations: Mapping[str, Row[Any]]
    stock: Mapping[str, int]
    supplied: Mapping[str, int]
    outbox: Sequence[Row[Any]]
    facts: Sequence[Fact]  # Each partition in its order.
    dead: Sequence[Row[Any]]
    poison: Collection[bytes]  # Values that had to become dead letters.
    reordered: Collection[str]  # Orders whose events somebody else has mixed up.
    foreign: Collection[str]  # Orders that another order service sent, which knows their rows.

    def of(self, type_: str) -> dict[str, Fact]:
        """The first delivery of each order's event of that type."""
        first: dict[str, Fact] = {}
        for fact in self.facts:
            if fact.type == type_:
                first.setdefault(fact.order_id, fact)
        return first


def read(
    databases: Databases,
    servers: str,
    topics: Sequence[str],
    *,
    told: Sequence[Customer],
    poison: Collection[bytes] = frozenset(),
    reordered: Collection[str] = frozenset(),
    foreign: Collection[str] = frozenset(),
) -> History:
    """Read every order, reservation, outbox row and dead letter, and every record of every partition."""
    outbox = (
        OutboxRow.id,
        OutboxRow.type,
        OutboxRow.aggregateid,
        OutboxRow.topic,
        OutboxRow.payload,
        OutboxRow.lane,
        OutboxRow.error,
    )
    supplied: dict[str, int] = defaultdict(int)
    with Session(databases.orders) as orders, Session(databases.catalog) as catalog:
        for product, qty in catalog.execute(select(Supply.product_id, Supply.qty)):
            supplied[product] += qty
        letters = select(*DeadLetter.__table__.columns)
        dead = [*orders.execute(letters), *catalog.execute(letters)]
        history = History(
            told=told,
            orders={row.order_id: row for row in orders.execute(select(*Order.__table__.columns))},
            reservations={
                row.order_id: row for row in catalog.execute(select(*Reservation.__table__.columns))
            },
            stock={row.product_id: row.stock for row in catalog.execute(select(*Product.__table__.columns))},
            supplied=supplied,
            outbox=[*orders.execute(select(*outbox)), *catalog.execute(select(*outbox))],
            facts=[],
            dead=dead,
            poison=poison,
            reordered=reordered,
            foreign=foreign,
        )
    # With no transaction open: MariaDB ends one that is idle for long.
    spoilt = {(letter.topic, letter.partition, letter.offset) for letter in dead}
    facts = (_fact(record) for record in records(servers, topics))
    history.facts = [fact for fact in facts if fact and fact.place not in spoilt]
    return history


def records(servers: str, topics: Sequence[str]) -> list[Record]:
    """Every record of every partition of *topics*, up to what is their end now."""
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=servers, enable_auto_commit=False, isolation_level="read_committed"
    )
    try:
        places = [
            kafka.TopicPartition(topic, partition)
            for topic in topics
            for partition in sorted(consumer.partitions_for_topic(topic))
        ]
        ends = consumer.end_offsets(places)
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        found: list[Record] = []
        while any(consumer.position(place) < ends[place] for place in places):
            for batch in consumer.poll(timeout_ms=1000, max_records=5000).values():
                found += [
                    Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers))
                    for r in batch
                ]
    finally:
        consumer.close()
    return sorted(found, key=lambda record: (record.topic, record.partition, record.offset))


def _fact(record: Record) -> Fact | None:
    headers = {name: (value or b"").decode() for name, value in record.headers}
    if "ce_id" not in headers:
        return None
    place = (record.topic, record.partition, record.offset)
    return Fact(
        place, headers["ce_id"], headers["ce_type"], headers["ce_subject"], json.loads(record.value or b"{}")
    )


def violations(history: History, *, without: Collection[str] = ()) -> list[str]:
    """Each promise that was broken, with the first orders that show it; *without* some that are not made."""
    found = []
    for name, promise in PROMISES.items():
        if name not in without and (evidence := list(promise(history))):
            more = f" … and {len(evidence) - SHOWN} more" if len(evidence) > SHOWN else ""
            found.append(f"{name}:\n" + "\n".join(f"    {line}" for line in evidence[:SHOWN]) + more)
    return found


def answers_are_sane(history: History) -> Iterator[str]:
    """Nobody sees anything but 201, 200, 409 or 503, and the same key is told the same order."""
    for customer in history.told:
        yield from (f"{customer.name} was told {odd}" for odd in customer.odd)
        if len(set(customer.order_ids)) > 1:
            yield f"{customer.name} was told of {customer.order_ids} for one key"


def no_order_is_lost(history: History) -> Iterator[str]:
    """Every 201 is a row, with what was asked for."""
    for customer in history.told:
        for order_id in customer.order_ids:
            row = history.orders.get(order_id)
            asked = (customer.name, customer.product, customer.qty)
            if row is None:
                yield f"{customer.name} was told 201 for {order_id}, which is not in the table"
            elif (row.user_id, row.product_id, row.qty) != asked:
                yield f"{order_id} was {asked}, the table says {(row.user_id, row.product_id, row.qty)}"


def no_event_is_lost(history: History) -> Iterator[str]:
    """Every recorded event is in the log, and none still waits, or was refused."""
    logged = {fact.id for fact in history.facts}
    spoilt = {bytes(letter.value or b"") for letter in history.dead}
    for row in history.outbox:
        named = f"{row.type} of {row.aggregateid}"
        if row.error is not None:
            yield f"{named} was set aside: {row.error}"
        elif row.lane is not None:
            yield f"{named} still waits in {row.lane}"
        elif row.id not in logged and row.payload.encode() not in spoilt:
            yield f"{named} is marked as published, and is not in {row.topic}"
    recorded = {(row.type, row.aggregateid) for row in history.outbox}
    for order_id, row in history.orders.items():
        if ("order.placed.v1", order_id) not in recorded:
            yield f"{order_id} has no order.placed.v1"
        if row.status == "CANCELLED" and ("order.cancelled.v1", order_id) not in recorded:
            yield f"{order_id} is CANCELLED and has no order.cancelled.v1"


def no_ghosts(history: History) -> Iterator[str]:
    """No order that nobody asked for, no event or reservation without its order, none that says otherwise."""
    asked = {customer.name: customer for customer in history.told}
    users: dict[str, str] = {}
    for order_id, row in history.orders.items():
        if row.user_id not in asked:
            yield f"nobody asked for {order_id} of {row.user_id}"
        elif row.user_id in users:
            yield f"{row.user_id} asked once and has {users[row.user_id]} and {order_id}"
        users[row.user_id] = order_id
    for order_id in history.reservations.keys() - history.orders.keys() - set(history.foreign):
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
    """Of one order, what was placed is in the log before it is cancelled."""
    placed = history.of("order.placed.v1")
    for order_id, cancelled in history.of("order.cancelled.v1").items():
        first = placed.get(order_id)
        if order_id in history.reordered:
            continue
        if first is None or first.place[:2] != cancelled.place[:2] or first.place > cancelled.place:
            yield f"{cancelled} comes before {first}"


def every_order_is_answered(history: History) -> Iterator[str]:
    """No order is left PENDING; its status and its reservation agree; who was told *cancelled* has it so."""
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
    """Who got the pieces is what the log's order says: each product's events, applied one by one."""
    for order_id, decided in _decided_by(history.facts, history.supplied).items():
        row = history.reservations.get(order_id)
        found = (row.state, row.reason) if row else None
        if found != decided:
            yield f"the log says {decided} for {order_id}, its reservation is {found}"


def only_poison_is_dead(history: History) -> Iterator[str]:
    """Every poison record is a dead letter, and nothing else is."""
    values = {bytes(letter.value or b"") for letter in history.dead}
    for letter in history.dead:
        if bytes(letter.value or b"") not in history.poison:
            yield (
                f"{letter.topic}-{letter.partition}@{letter.offset} is a dead letter:"
                f" {letter.reason}, {letter.detail[:200]}"
            )
    for value in set(history.poison) - values:
        yield f"poison was not kept: {len(value)} bytes, {value[:60]!r}"


Promise = Callable[[History], Iterator[str]]
PROMISES: dict[str, Promise] = {
    promise.__name__: promise
    for promise in (
        answers_are_sane,
        no_order_is_lost,
        no_event_is_lost,
        no_ghosts,
        stock_adds_up,
        first_deliveries_are_in_order,
        every_order_is_answered,
        the_log_decides,
        only_poison_is_dead,
    )
}


def _contradiction(history: History, fact: Fact) -> str | None:
    """What the tables say against *fact*."""
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
    """A catalog in fifteen lines, with no database, no batches and no retries."""
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
