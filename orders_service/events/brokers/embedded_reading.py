"""Reads the embedded log without a consumer group: whole topics, or one partition from a time on."""

import sqlite3
from collections.abc import Sequence

from orders_service.events.brokers.embedded_log import (
    Position,
    end,
    offset_since,
    partition_of,
    partitions_of,
    translated,
    wait_for_records,
)
from orders_service.events.brokers.port import Record


class EmbeddedReader:
    """Reads topics from positions of its own, without a consumer group."""

    @translated()
    def __init__(self, connection: sqlite3.Connection, topics: Sequence[str], *, from_start: bool) -> None:
        self._connection = connection
        self._positions: Position = {
            (topic, partition): 0 if from_start else end(connection, topic, partition)
            for topic in topics
            for partition in range(partitions_of(connection, topic))
        }

    @translated()
    def poll(self, *, seconds: float) -> list[Record]:
        return wait_for_records(self._connection, self._positions, seconds)

    def close(self) -> None:
        self._connection.close()


class EmbeddedPartitionReader:
    """Reads one partition from a time on."""

    begins_late = False  # This log deletes nothing.

    @translated()
    def __init__(self, connection: sqlite3.Connection, topic: str, key: bytes, *, since: int) -> None:
        self._connection = connection
        self.partition = partition_of(connection, topic, key)
        self._place = topic, self.partition
        self._end = end(connection, *self._place)
        self._positions: Position = {self._place: offset_since(connection, *self._place, since)}

    @property
    def is_at_end(self) -> bool:
        return self._positions[self._place] >= self._end

    @translated()
    def poll(self, *, seconds: float) -> list[Record]:
        return wait_for_records(self._connection, self._positions, seconds)

    def close(self) -> None:
        self._connection.close()
