"""(3) The outbox: records events in the transaction of the change that caused them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import attrgetter

import orjson
from sqlalchemy import Connection

from orders_service.contract.events import Event
from orders_service.contract.topics import Topics
from orders_service.database.columns import text_of
from orders_service.database.rows import RowWriter
from orders_service.events.tables import OutboxRow


@dataclass(frozen=True)
class Outbox:
    """Records the events of one service. *source* is its CloudEvents source; *topics* names the topics."""

    source: str
    topics: Topics
    sent_by_relay: bool = True  # False if change data capture sends the events instead of a relay.

    def record(self, connection: Connection, events: Iterable[Event], now: datetime) -> None:
        """Insert *events*, which happened *now*, in the connection's transaction.

        They are committed with their cause or not at all. The relay sends them (step 4).
        """
        time, created_at = now.strftime("%Y-%m-%dT%H:%M:%S.%fZ"), text_of(now)
        self._writer.write(connection, [*events], source=self.source, time=time, created_at=created_at)

    @cached_property
    def _writer(self) -> RowWriter[Event]:
        return RowWriter(
            OutboxRow.__table__,
            {
                "id": attrgetter("id"),
                "type": attrgetter("type"),
                "aggregateid": attrgetter("order_id"),
                "topic": self.topics.of,
                "key": attrgetter("key"),
                "payload": _payload,
                "traceparent": attrgetter("traceparent"),
                "lane": self.topics.of if self.sent_by_relay else _no_lane,
            },
            per_call=("source", "time", "created_at"),
            constants={"specversion": "1.0", "aggregatetype": "order"},
        )


def _payload(event: Event) -> str:
    return orjson.dumps(event.data()).decode()


def _no_lane(_: Event) -> None:
    """The lane of an event that change data capture sends: NULL, so that no relay sends it, too."""
