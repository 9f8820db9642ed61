"""The way of one event: recorded in an outbox, sent, stored in the log, and each repeat of that."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row

from orders_service.events.brokers.port import Record
from orders_service.operations.journey.absence import age, tell_absence
from orders_service.operations.journey.entry import RECORD, SAME_TRANSACTION, Entry
from orders_service.operations.journey.event import Event, Way
from orders_service.operations.journey.known import CATALOG_DOWN, Known
from orders_service.operations.journey.spans import span
from orders_service.operations.journey.stored import CANCELLED, PLACED, Rows
from orders_service.operations.records import as_json

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOLERANCE = timedelta(milliseconds=2)  # A row is recorded before its record; the clocks may differ.
RECORDS_SHOWN = 2  # Records of one event that are shown with their contents.


def way_of(known: Known, event: Event) -> Way:
    """Tell the way of *event*."""
    rows, records = known.rows(event.type), event.log.of(event.type)
    way = Way([_recorded(known, event, rows)])
    for again in rows[1:]:
        way.entries.append(_recorded_again(event, again))
    if not records:
        tell_absence(known, event, rows, way)
    for number, record in enumerate(records):
        entry = _stored(known, event, record, with_record=number < RECORDS_SHOWN)
        entry.cause = way.last if number else way.entries[0]
        if number == 0:
            way.arrived, entry.on_ruler = entry, event.type != CANCELLED
        else:
            entry.kind = entry.mark = "repeat"
            entry.title += " again"
            why = _why_again(known, rows, records, number)
            entry.detail = f"The same event id. {why} {event.effect}".rstrip()
        following = records[number + 1] if number + 1 < len(records) else None
        entry.detail = f"{entry.detail} {_about(known, event, rows, record, following)}".strip()
        way.entries.append(entry)
    return way


def _recorded(known: Known, event: Event, rows: Rows) -> Entry:
    kind = "answer-recorded" if event.is_answer else "recorded"
    entry = Entry(kind, event.recorded, f"{event.database} database, outbox", cause=event.cause)
    if rows:
        entry.at = rows[0].created_at
        if entry.at == event.cause.at:
            entry.gap = SAME_TRANSACTION
        subject = "answer" if event.is_answer else "event"
        entry.detail = f"The {subject} {event.type} was committed together with {_what(event)}."
        entry.facts = _facts(rows[0])
        return entry
    entry.kind = entry.mark = "missing"
    if event.is_answer and known.catalog is None:
        entry.detail = CATALOG_DOWN
    elif age(known, event.cause.at) > timedelta(days=known.here.keep_days):
        entry.detail = f"Deleted after {known.here.keep_days} days: the outbox keeps a sent event no longer."
    else:
        entry.detail = f"The outbox has no row of the event {event.type}. Another service may have sent it."
    return entry


def _what(event: Event) -> str:
    if event.is_answer:
        return "the decision"
    return "the order" if event.type == PLACED else "the cancellation"


def _recorded_again(event: Event, row: Row[Any]) -> Entry:
    again = "The event was recorded again, with the same event id, so that it is sent again."
    if event.is_answer:
        again = "The event came again, so the catalog repeated its answer, with the same event id."
    return Entry(
        "repeat",
        f"{event.recorded} again",
        f"{event.database} database, outbox",
        again,
        mark="repeat",
        at=row.created_at,
        cause=event.cause,
        facts=_facts(row),
    )


def _facts(row: Row[Any]) -> list[tuple[str, str]]:
    return [("row", f"seq {row.seq:,}"), ("ce_id", row.id)]


def _stored(known: Known, event: Event, record: Record, *, with_record: bool) -> Entry:
    return Entry(
        "answer-in-log" if event.is_answer else "in-log",
        event.in_log,
        f"{known.here.log}, by {_sender(known, event)}",
        at=_time_of(record),
        digits=RECORD,
        place=str(record),
        record=as_json(record) if with_record else None,
    )


def _sender(known: Known, event: Event) -> str:
    return "Debezium" if known.here.by_debezium and not event.is_answer else event.sender


def _why_again(known: Known, rows: Rows, records: Sequence[Record], number: int) -> str:
    """Why the log has the event once more: it was recorded, or sent, again."""
    record = records[number]
    recorded = [row for row in rows if row.created_at <= _time_of(record) + TOLERANCE]
    if len(recorded) > number:
        return "It was recorded again."
    if rows and not known.here.by_debezium and not _marked(rows, records[number - 1], record):
        return "The relay ended before it had marked the row as sent, so the event was sent again."
    return "The event was sent again."


def _about(known: Known, event: Event, rows: Rows, record: Record, following: Record | None) -> str:
    """What is to be said about a record beside its place."""
    if not any(name == "ce_id" for name, _ in record.headers):
        return "This record has no event id: another service sent it. Its value names the order."
    if _sender(known, event) == "Debezium":
        return "Sent by Debezium."
    if marked := _marked(rows, record, following):
        return f"The relay marked the row as sent {span(marked[0] - _time_of(record))} later."
    if following is None and rows and rows[-1].lane is not None:
        return "The relay has not marked the row as sent yet."
    return ""


def _marked(rows: Rows, record: Record, following: Record | None) -> list[datetime]:
    """When the relay marked rows as sent, after it had sent *record* and before the *following* one."""
    times = [row.published_at for row in rows if row.published_at is not None]
    end = following and _time_of(following)
    return sorted(at for at in times if _time_of(record) <= at and (end is None or at < end))


def _time_of(record: Record) -> datetime:
    return EPOCH + timedelta(milliseconds=record.timestamp)
