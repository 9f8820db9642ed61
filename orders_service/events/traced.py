"""The traces of relays and consumers: the `traceparent` of an event says whether it is traced."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Row

from orders_service import tracing
from orders_service.contract import wire
from orders_service.events.brokers.port import Delivery, Record
from orders_service.events.dead_letters import Refused
from orders_service.tracing import names

if TYPE_CHECKING:
    from orders_service.tracing.spans import Batch


def begin_send(rows: Sequence[Row[Any]]) -> "Batch | None":
    """Begin the spans of events that are sent; None if none of them is traced."""
    if tracing.recorder is None:
        return None
    return tracing.recorder.begin_send(rows[0].topic, [row.traceparent for row in rows])


def end_send(traced: "Batch | None", sent: Sequence[Delivery]) -> None:
    """End the spans of events that were sent. One that the broker has not acknowledged is an error."""
    if traced is not None:
        traced.end(
            failed={
                place: type(sent[place].error or TimeoutError()).__name__
                for place in traced.places
                if not sent[place].acknowledged
            }
        )


def in_log(traceparent: str | None) -> dict[str, str]:
    """The id of the trace as a field of a log line, if there is one."""
    trace_id = wire.trace_id_of(traceparent)
    return {"trace_id": trace_id} if trace_id else {}


def begin_process(group: str, records: Sequence[Record]) -> "Batch | None":
    """Begin the spans of records that a consumer has read; None if none of them is traced."""
    if tracing.recorder is None:
        return None
    traceparents = [wire.header(record.headers, "traceparent") for record in records]
    return tracing.recorder.begin_process(group, records[0].topic, traceparents)


def end_process(traced: "Batch | None", records: Sequence[Record], dead: Sequence[Refused]) -> None:
    """End the spans of records that are applied, or that became dead letters."""
    if traced is None:
        return
    reasons = {str(record): error.reason for record, error in dead}
    places = {place: records[place] for place in traced.places}
    traced.end(
        failed={place: reason for place, record in places.items() if (reason := reasons.get(str(record)))},
        details={
            place: {names.PARTITION: str(record.partition), names.OFFSET: record.offset}
            for place, record in places.items()
        },
    )
