"""The entries of one order's journey, in the order of their causes."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from orders_service.catalog.product import State
from orders_service.contract.wire import trace_id_of
from orders_service.operations.journey.entry import NOT_YET, Entry
from orders_service.operations.journey.event import Event, Way
from orders_service.operations.journey.known import CATALOG_DOWN, Known
from orders_service.operations.journey.letters import letter_entries, stop
from orders_service.operations.journey.log import InLog
from orders_service.operations.journey.spans import pieces, span
from orders_service.operations.journey.stored import CANCELLED, PLACED, REJECTED, RESERVED
from orders_service.operations.journey.way import way_of
from orders_service.operations.reasons import in_words
from orders_service.orders.order import FIRST_VERSION, Status
from orders_service.printable import printable

ORDERS, RESERVATIONS = "orders database, orders", "catalog database, reservations"
STOCK_CONSUMER, STATUS_CONSUMER = "stock-consumer", "status-consumer"
NO_CHANGE = "The reservation was there already: nothing changed."


def steps(known: Known) -> list[Entry]:
    """Every entry, each behind its cause."""
    placed = _placed(known)
    way = way_of(known, Event(PLACED, placed, known.order_records, "orders", _effect(known)))
    told = [placed, *way.entries, *_letters(known, way)]
    decided = _decision(known, way)
    told += [decided] if decided else []
    if decided and decided.gap is None and known.catalog and known.catalog.reservation:
        told += _answer(known, decided, known.catalog.reservation)
    elif known.order.status in (Status.CONFIRMED, Status.REJECTED):
        told.append(_outcome(known, told[-1]))  # The answer is unknown, but it has come.
    if known.order.status == Status.CANCELLED:
        told += _cancellation(known, placed, decided)
    return told


def trace_id(known: Known) -> str | None:
    """The id of the order's trace, from its event's row or record."""
    for row in known.rows(PLACED):
        if row.traceparent:
            return trace_id_of(row.traceparent)
    for record in known.order_records.of(PLACED):
        for name, value in record.headers:
            if name == "traceparent" and value:
                return trace_id_of(value.decode(errors="replace"))
    return None


def _effect(known: Known) -> str:
    return NO_CHANGE if known.catalog and known.catalog.reservation else ""


def _placed(known: Known) -> Entry:
    order = known.order
    product, user = printable(order.product_id), printable(order.user_id)
    facts = [("row", f"id {order.id:,}, version {FIRST_VERSION}, {Status.PENDING}")]
    if trace := trace_id(known):
        facts.append(("trace id", trace))
    return Entry(
        "placed",
        "Placed",
        ORDERS,
        f"{order.qty:,} × {product} at {order.unit_price:,} each, for {user}.",
        at=order.created_at,
        on_ruler=True,
        facts=facts,
    )


def _letters(known: Known, way: Way) -> list[Entry]:
    """The dead letters of the placed event's records, and those whose record the log does not show."""
    others = {str(record) for record in known.order_records.of(CANCELLED)}
    entries = letter_entries(known.letters, "catalog", way.entries, way.last)
    return [entry for entry in entries if entry.place not in others]


def _decision(known: Known, way: Way) -> Entry | None:
    """The catalog's decision about the placed order. None if a dead letter or a stop stands in its place."""
    found = known.catalog and known.catalog.reservation
    if found and found.state == State.VOID:
        return None
    if found:
        return _decided(found, way.last)
    if known.catalog is None:
        return Entry("missing", "Reserved", RESERVATIONS, CATALOG_DOWN, mark="missing", cause=way.last)
    if way.is_stopped or stop(known.letters, way.entries):
        return None
    if known.order.status != Status.PENDING:
        detail = "This catalog has no decision about the order. Another catalog may have answered."
        return Entry("missing", "Reserved", RESERVATIONS, detail, mark="missing", cause=way.last)
    detail = _not_yet(known, known.order_records, STOCK_CONSUMER)
    return _waiting("Reserved", RESERVATIONS, detail, way.last)


def _decided(row: Row[Any], cause: Entry) -> Entry:
    if row.state == State.REJECTED:
        detail = f"No piece was set aside: {in_words(row.reason)}."
        return Entry(
            "rejected",
            "Rejected",
            RESERVATIONS,
            detail,
            "rejected",
            row.created_at,
            cause=cause,
            on_ruler=True,
        )
    detail = f"{pieces(row.qty)} set aside."
    return Entry("reserved", "Reserved", RESERVATIONS, detail, at=row.created_at, cause=cause, on_ruler=True)


def _answer(known: Known, decided: Entry, reservation: Row[Any]) -> list[Entry]:
    """The answer's way to the order."""
    type_ = REJECTED if reservation.state == State.REJECTED else RESERVED
    effect = "The order was no longer PENDING: nothing changed."
    way = way_of(known, Event(type_, decided, known.answer_records, "catalog", effect))
    told = [*way.entries, *letter_entries(known.answer_letters, "orders", way.entries, way.last)]
    if known.order.status == Status.PENDING:
        if not (way.is_stopped or stop(known.answer_letters, way.entries)):
            title = "Rejected" if type_ == REJECTED else "Confirmed"
            detail = _not_yet(known, known.answer_records, STATUS_CONSUMER)
            told.append(_waiting(title, ORDERS, detail, way.last))
    elif known.order.status != Status.CANCELLED or known.order.version > FIRST_VERSION + 1:
        told.append(_outcome(known, way.last))
    elif way.arrived:
        way.arrived.detail = (
            f"The order was cancelled by then: it changed nothing. {way.arrived.detail}".rstrip()
        )
    return told


def _outcome(known: Known, cause: Entry) -> Entry:
    """The change from PENDING. Of an order that was cancelled afterwards, its time is no longer known."""
    order, version = known.order, FIRST_VERSION + 1
    if order.status == Status.CANCELLED:
        detail = (
            "PENDING to CONFIRMED, version 2. Its time is not known: the row has that of the cancellation."
        )
        return Entry("confirmed", "Confirmed", ORDERS, detail, cause=cause)
    rejected = order.status == Status.REJECTED
    detail = f"PENDING to {order.status}, version {version}."
    if rejected:
        detail = f"PENDING to {order.status}, version {version}: {in_words(order.reason)}."
    return Entry(
        "order-rejected" if rejected else "confirmed",
        "Order rejected" if rejected else "Confirmed",
        ORDERS,
        detail,
        "rejected" if rejected else "confirmed",
        order.updated_at,
        cause=cause,
        on_ruler=True,
    )


def _cancellation(known: Known, placed: Entry, decided: Entry | None) -> list[Entry]:
    """The cancellation, its event, and what the catalog did with it."""
    order = known.order
    before = Status.PENDING if order.version == FIRST_VERSION + 1 else Status.CONFIRMED
    detail = f"{before} to CANCELLED, version {order.version}."
    cancelled = Entry("cancelled", "Cancelled", ORDERS, detail, "cancelled", order.updated_at, cause=placed)
    effect = "The pieces were released already: nothing changed."
    way = way_of(known, Event(CANCELLED, cancelled, known.order_records, "orders", effect))
    places = {entry.place for entry in way.entries if entry.place}
    letters = letter_entries(known.letters, "catalog", way.entries, way.last)
    told = [cancelled, *way.entries, *(letter for letter in letters if letter.place in places)]
    return told + _release(known, way, decided)


def _release(known: Known, way: Way, decided: Entry | None) -> list[Entry]:
    if known.catalog is None:
        return [Entry("missing", "Released", RESERVATIONS, CATALOG_DOWN, mark="missing", cause=way.last)]
    found = known.catalog.reservation
    if found and found.state == State.RELEASED:
        detail = f"{pieces(found.qty)} went back into stock."
        return [Entry("released", "Released", RESERVATIONS, detail, at=found.updated_at, cause=way.last)]
    if found and found.state == State.VOID:
        detail = "The cancellation came first, so the catalog will not reserve pieces for the order."
        return [Entry("void", "Void", RESERVATIONS, detail, at=found.created_at, cause=way.last)]
    if found and found.state == State.REJECTED:
        return []  # No piece was set aside.
    if way.is_stopped or stop(known.letters, way.entries):
        return []
    detail = _not_yet(known, known.order_records, STOCK_CONSUMER)
    return [_waiting("Released", RESERVATIONS, detail, way.last)]


def _not_yet(known: Known, log: InLog, command: str) -> str:
    here = known.here
    topic, group = here.catalog_topic, here.stock_group
    if command == STATUS_CONSUMER:
        topic, group = here.stock_topic, here.status_group
    where = topic if log.partition is None else f"{topic}-{log.partition}"
    detail = (
        f"Not yet, {span(known.age)} after the order was placed. The record waits in {where} for the"
        f" consumer group {group}"
    )
    described = known.groups.get(group)
    if described and described.members == 0:
        return f"{detail}, which has no consumer. Start it with: orders-service {command}"
    if described and described.lag:
        detail += f", which has {described.lag:,} {'record' if described.lag == 1 else 'records'} to read"
    return f"{detail}."


def _waiting(title: str, source: str, detail: str, cause: Entry) -> Entry:
    return Entry("missing", title, source, detail, mark="missing", cause=cause, gap=NOT_YET)


def waits_for(entries: Sequence[Entry]) -> Entry | None:
    """The first entry that has not come yet."""
    return next((entry for entry in entries if entry.gap == NOT_YET), None)
