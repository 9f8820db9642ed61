"""The events that the broker refused permanently. No index finds them: only the newest rows are searched."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Row, func, select
from sqlalchemy.orm import Session

from orders_service.events.tables import OutboxRow

LATELY = 10_000  # So many of the newest rows are searched.


def newest(session: Session, most: int) -> Sequence[Row[str, str, str, str, str | None, datetime]]:
    """The newest *most* of them, without their payloads."""
    columns = (
        *(OutboxRow.id, OutboxRow.type, OutboxRow.aggregateid, OutboxRow.topic),
        *(OutboxRow.error, OutboxRow.created_at),
    )
    query = select(*columns).where(*_lately(session, LATELY)).order_by(OutboxRow.seq.desc())
    return session.execute(query.limit(most)).all()


def count(session: Session, rows: int) -> int:
    """How many they are among the newest *rows*."""
    return session.scalar(select(func.count()).where(*_lately(session, rows))) or 0


def _lately(session: Session, rows: int) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    end = session.scalar(select(func.max(OutboxRow.seq))) or 0
    return OutboxRow.seq > end - rows, OutboxRow.error.is_not(None)
