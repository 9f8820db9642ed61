"""(3) An event is recorded beside the change that caused it."""

from collections.abc import Iterable
from dataclasses import dataclass

import orjson
from sqlalchemy import Connection

from orders_service.database import Clock, ManyRows, Values, text_of, utc_now
from orders_service.events.contract import Event, Topics
from orders_service.events.tables import OutboxRow

ROWS = ManyRows(
    OutboxRow.__table__,
    "id",
    "source",
    "type",
    "aggregateid",
    "time",
    "topic",
    "key",
    "payload",
    "traceparent",
    "created_at",
    "lane",
    specversion="1.0",
    aggregatetype="order",
)


@dataclass(frozen=True)
class Outbox:
    """Where one side of the flow records its events: as *source*, for its *topics*."""

    source: str
    topics: Topics
    pending: bool = True  # False: change data capture reads the table, and no relay.
    clock: Clock = utc_now

    def record(self, connection: Connection, events: Iterable[Event]) -> None:
        """Write *events* down in the connection's transaction.

        They are committed with their cause or not at all. Nothing is sent from here.
        """
        now = self.clock()
        time, created_at = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), text_of(now)
        rows: list[Values] = []
        for event in events:
            topic = self.topics.of(event)
            rows.append(
                (
                    event.id,
                    self.source,
                    event.type,
                    event.order_id,
                    time,
                    topic,
                    event.key,
                    orjson.dumps(event.data()).decode(),
                    event.traceparent,
                    created_at,
                    topic if self.pending else None,
                )
            )
        if rows:
            ROWS.write(connection, rows)
