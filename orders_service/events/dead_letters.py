"""Where records rest that were given up on, whole and with their reason."""

import base64
import json
from collections.abc import Sequence

import structlog
from sqlalchemy import insert, select, tuple_
from sqlalchemy.orm import Session

from orders_service.database import Clock
from orders_service.events.broker import Record
from orders_service.events.errors import RecordError
from orders_service.events.tables import DeadLetter

log = structlog.get_logger()

Refused = tuple[Record, RecordError]


def keep(session: Session, refused: Sequence[Refused], *, group: str, clock: Clock) -> None:
    """Write *refused* down in the transaction of their batch; one that is kept already stays as it is."""
    place = (DeadLetter.topic, DeadLetter.partition, DeadLetter.offset, DeadLetter.record_timestamp)
    places = {_place(record): (record, error) for record, error in refused}
    if not places:
        return
    for kept in session.execute(select(*place).where(tuple_(*place).in_(list(places)))):
        del places[kept.topic, kept.partition, kept.offset, kept.record_timestamp]
    for record, error in places.values():
        log.error("dead letter", record=str(record), reason=error.reason, detail=str(error))
        session.execute(
            insert(DeadLetter).values(
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                record_timestamp=record.timestamp,
                consumer_group=group,
                key=record.key,
                value=record.value,
                headers=json.dumps(
                    [[name, base64.b64encode(value or b"").decode()] for name, value in record.headers]
                ),
                reason=error.reason,
                detail=str(error),
                created_at=clock(),
            )
        )


def _place(record: Record) -> tuple[str, int, int, int]:
    return record.topic, record.partition, record.offset, record.timestamp
