"""(3) An event is recorded beside the change that caused it."""

from collections.abc import Iterable
from dataclasses import dataclass

import orjson
from sqlalchemy import insert, literal_column
from sqlalchemy.orm import Session

from orders_service.database import Clock, utc_now
from orders_service.events.contract import Event, Topics
from orders_service.events.tables import OutboxRow

# What every row has is said once, in the statement: each value of each row costs the driver its time.
RECORD = insert(OutboxRow).values(
    specversion=literal_column("'1.0'"), aggregatetype=literal_column("'order'")
)


@dataclass(frozen=True)
class Outbox:
    """Where one side of the flow records its events: as *source*, for its *topics*."""

    source: str
    topics: Topics
    pending: bool = True  # False: change data capture reads the table, and no relay.
    clock: Clock = utc_now

    def record(self, session: Session, events: Iterable[Event]) -> None:
        """Write *events* down in the session's transaction.

        They are committed with their cause or not at all. Nothing is sent from here.
        """
        now = self.clock()
        same = {
            "source": self.source,
            "time": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "created_at": now,
        }
        rows = [same | self._of(event) for event in events]
        if rows:
            session.connection().execute(RECORD, rows)

    def _of(self, event: Event) -> dict[str, str | None]:
        topic = self.topics.of(event)
        return {
            "id": event.id,
            "type": event.type,
            "aggregateid": event.order_id,
            "topic": topic,
            "key": event.key,
            "payload": orjson.dumps(event.data()).decode(),
            "traceparent": event.traceparent,
            "lane": topic if self.pending else None,
        }
