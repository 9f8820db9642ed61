"""The observer of the embedded log."""

import sqlite3
from collections.abc import Mapping, Sequence

from orders_service.events.brokers.embedded_log import (
    begin,
    committed_by,
    end,
    newest,
    partitions_of,
    translated,
)
from orders_service.events.brokers.observer import GroupState, PartitionState, Place
from orders_service.events.brokers.port import Record


class EmbeddedObserver:
    """Looks at the log. Its groups have a consumer or not: the log does not know."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @translated()
    def partitions(self, topics: Sequence[str]) -> dict[Place, PartitionState]:
        return {
            (topic, partition): PartitionState(
                first=begin(self._connection, topic, partition), end=end(self._connection, topic, partition)
            )
            for topic in topics
            for partition in range(partitions_of(self._connection, topic))
        }

    @translated()
    def groups(self, topics: Mapping[str, Sequence[str]]) -> dict[str, GroupState]:
        return {
            group: GroupState(members=None, committed=committed_by(self._connection, group, names))
            for group, names in topics.items()
        }

    @translated()
    def newest(self, topic: str, most: int) -> list[Record]:
        return newest(self._connection, topic, most)

    def close(self) -> None:
        self._connection.close()
