"""The pending rows of each lane, as the relay reads them, and the records that it makes of them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, bindparam, func, select

from orders_service.contract import wire
from orders_service.events.brokers.port import Outgoing
from orders_service.events.tables import OutboxRow

BATCH = 500
Rows = Sequence[Row[Any]]
COLUMNS = (
    OutboxRow.seq,
    OutboxRow.id,
    OutboxRow.specversion,
    OutboxRow.source,
    OutboxRow.type,
    OutboxRow.aggregateid,
    OutboxRow.time,
    OutboxRow.topic,
    OutboxRow.key,
    OutboxRow.payload,
    OutboxRow.traceparent,
)

# Built once: an idle relay runs the first one about thirty times a second.
FIRST_LANE = select(func.min(OutboxRow.lane))
NEXT_LANE = FIRST_LANE.where(OutboxRow.lane > bindparam("last"))
OLDEST = (
    select(*COLUMNS)
    .where(OutboxRow.lane == bindparam("lane"), OutboxRow.seq.not_in(bindparam("excluded", expanding=True)))
    .order_by(OutboxRow.seq)
    .limit(BATCH)
)


def outgoing(row: Row[Any]) -> Outgoing:
    """The record that is sent for a row."""
    attributes = {
        "id": row.id,
        "source": row.source,
        "specversion": row.specversion,
        "type": row.type,
        "time": row.time,
        "subject": row.aggregateid,
    }
    return Outgoing(
        topic=row.topic,
        key=row.key.encode(),
        value=row.payload.encode(),
        headers=wire.write_headers(attributes, row.traceparent),
    )
