"""Says why an event is not in the log: not yet, set aside, deleted, or not found."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from orders_service.operations.journey.entry import NOT_YET, Entry
from orders_service.operations.journey.event import Event, Way
from orders_service.operations.journey.known import Known
from orders_service.operations.journey.log import RECORDS, SLACK
from orders_service.operations.journey.spans import span
from orders_service.operations.journey.stored import Rows
from orders_service.printable import printable


def tell_absence(known: Known, event: Event, rows: Rows, way: Way) -> None:
    """Explain why no record was found."""
    row = rows[0] if rows else None
    absent = Entry("missing", event.in_log, known.here.log, mark="missing", cause=way.entries[0])
    way.entries.append(absent)
    if row is not None and row.error is not None:
        absent.mark, absent.title = "stopped", "Stopped: set aside"
        absent.source = f"{event.database} database, outbox"
        absent.detail = (
            f"The broker refused the event: {printable(row.error)}. When its topic is repaired, run:"
            f" orders-service outbox requeue --database {event.database} --set-aside"
        )
        way.is_stopped = True
    elif row is not None and row.lane is not None and event.log.problem is None:
        absent.gap, way.is_stopped = NOT_YET, True
        absent.detail = (
            f"Not yet, {span(age(known, row.created_at))} after the event was recorded. It waits in the"
            f" outbox for {event.sender}. If this lasts, run: orders-service doctor"
        )
    else:
        if row is not None and row.published_at is not None:
            sent = _sent(event, row, way.entries[0])
            way.entries.insert(-1, sent)
            absent.cause = sent
        absent.detail = _why_absent(known, event, row)
        if absent.detail.startswith("Not yet"):
            absent.gap, way.is_stopped = NOT_YET, True


def _sent(event: Event, row: Row[Any], recorded: Entry) -> Entry:
    return Entry(
        "sent",
        "Answer sent" if event.is_answer else "Sent",
        f"{event.database} database, outbox",
        f"{event.sender} marked the row as sent, so the broker has acknowledged the record.",
        at=row.published_at,
        cause=recorded,
    )


def _why_absent(known: Known, event: Event, row: Row[Any] | None) -> str:
    log, since = event.log, event.cause.at
    passed = age(known, since)
    if log.problem is not None:
        return log.problem
    if log.begins_late or passed > timedelta(days=known.here.retention_days):
        return (
            f"No longer in the log: the topic keeps records for {known.here.retention_days} days, and this"
            f" one was sent {span(passed)} ago."
        )
    if not log.is_whole:
        return f"It is not among the {RECORDS:,} records that followed. The search reads no more."
    if row is not None and row.published_at is None and known.here.by_debezium and not event.is_answer:
        return (
            f"Not yet, {span(passed)} after the event was recorded. Debezium sends this event. If this"
            " lasts, run: orders-service connectors status"
        )
    return (
        "The log has no record with this event id. The search began"
        f" {SLACK.seconds} s before the time of its row."
    )


def age(known: Known, at: datetime | None) -> timedelta:
    return max(timedelta(0), known.now - (at or known.order.created_at))
