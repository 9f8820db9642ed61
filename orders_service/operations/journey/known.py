"""All that was read about one order, from which its journey is told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row

from orders_service.events.brokers.port import GroupDescription
from orders_service.operations.journey.log import InLog
from orders_service.operations.journey.stored import OfCatalog, Rows

CATALOG_DOWN = "The catalog database does not answer."


@dataclass(frozen=True)
class Place:
    """The names and promises of this deployment that a journey mentions."""

    log: str  # "Kafka" or "Embedded log".
    catalog_topic: str
    stock_topic: str
    stock_group: str
    status_group: str
    by_debezium: bool
    keep_days: int  # Of the outboxes.
    retention_days: int  # Of the topics.


@dataclass(frozen=True)
class Known:
    """The rows and records of one order, at the time *now*."""

    now: datetime
    here: Place
    order: Row[Any]
    events: Rows  # The orders' outbox.
    catalog: OfCatalog | None  # None if its database does not answer.
    order_records: InLog
    answer_records: InLog
    letters: Rows = ()  # Of the stock-consumer.
    answer_letters: Rows = ()  # Of the status-consumer.
    groups: dict[str, GroupDescription] = field(default_factory=dict)

    @property
    def age(self) -> timedelta:
        """How long ago the order was placed."""
        placed: datetime = self.order.created_at
        return max(timedelta(0), self.now - placed)

    def rows(self, type_: str) -> Rows:
        """The rows of one type of event in the outbox that has it, oldest first."""
        answers: Sequence[Row[Any]] = self.catalog.answers if self.catalog else ()
        return [row for row in (*self.events, *answers) if row.type == type_]
