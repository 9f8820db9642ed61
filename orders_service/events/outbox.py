"""(3) An event is recorded beside the change that caused it."""

from collections.abc import Iterable
from dataclasses import dataclass

import orjson
from sqlalchemy import insert
from sqlalchemy.orm import Session

from orders_service.database import Clock, utc_now
from orders_service.events.contract import Event, Topics
from orders_service.events.tables import OutboxRow

# Every value a parameter: PyMySQL makes one statement of many rows only then.
RECORD = insert(OutboxRow.__table__)  # type: ignore[arg-type]


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
            "specversion": "1.0",
            "source": self.source,
            "aggregatetype": "order",
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
