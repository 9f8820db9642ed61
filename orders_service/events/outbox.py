"""(3) An event is recorded beside the change that caused it."""

import json
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import insert
from sqlalchemy.orm import Session

from orders_service.database import Clock, utc_now
from orders_service.events.contract import Event, Topics
from orders_service.events.tables import OutboxRow


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
        rows = [
            {
                "id": event.id,
                "specversion": "1.0",
                "source": self.source,
                "type": event.type,
                "aggregatetype": "order",
                "aggregateid": event.order_id,
                "time": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "topic": self.topics.of(event),
                "key": event.key,
                "payload": json.dumps(event.data(), ensure_ascii=False, separators=(",", ":")),
                "traceparent": event.traceparent,
                "created_at": now,
                "lane": self.topics.of(event) if self.pending else None,
            }
            for event in events
        ]
        if rows:
            session.execute(insert(OutboxRow), rows)
