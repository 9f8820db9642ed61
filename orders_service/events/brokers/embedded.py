"""A broker in one SQLite file: an append-only log and the groups' offsets. For `run` and for tests."""

import os
import sqlite3
import time
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from orders_service.events.brokers.embedded_log import (
    TABLES,
    Position,
    committed,
    end,
    lock_group,
    pack,
    partition_of,
    partitions_of,
    refusal,
    transaction,
    translated,
    wait_for_records,
)
from orders_service.events.brokers.embedded_observer import EmbeddedObserver
from orders_service.events.brokers.embedded_reading import EmbeddedPartitionReader, EmbeddedReader
from orders_service.events.brokers.port import (
    Delivery,
    GroupDescription,
    OpenTransaction,
    Outgoing,
    Record,
    TopicDescription,
    TopicMissing,
    TopicSpec,
)

BUSY_SECONDS = 5


class EmbeddedBroker:
    """The broker whose log is the file *path*. Processes may share it; a group has one consumer at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._connect() as connection:
            connection.executescript(TABLES)

    def producer(self) -> "EmbeddedProducer":
        return EmbeddedProducer(self._connect())

    def subscribe(self, group: str, topics: Sequence[str]) -> "EmbeddedSubscription":
        lock = lock_group(
            self._path.with_name(f"{self._path.name}.{zlib.crc32(group.encode()):08x}.lock"), group
        )
        try:
            return EmbeddedSubscription(self._connect(), group, topics, lock)
        except BaseException:
            os.close(lock)
            raise

    @translated()
    def read(self, topics: Sequence[str], *, from_start: bool) -> EmbeddedReader:
        connection = self._connect()
        try:
            return EmbeddedReader(connection, topics, from_start=from_start)
        except BaseException:
            connection.close()
            raise

    @translated()
    def observer(self) -> EmbeddedObserver:
        return EmbeddedObserver(self._connect())

    @translated()
    def read_since(self, topic: str, key: bytes, *, since: int) -> EmbeddedPartitionReader:
        connection = self._connect()
        try:
            return EmbeddedPartitionReader(connection, topic, key, since=since)
        except BaseException:
            connection.close()
            raise

    def create_topics(self, names: Sequence[str], spec: TopicSpec) -> list[str]:
        with self._connect() as connection, transaction(connection):
            known = {name for (name,) in connection.execute("SELECT name FROM topics")}
            missing = [name for name in dict.fromkeys(names) if name not in known]
            connection.executemany(
                "INSERT INTO topics VALUES (?, ?, ?)",
                [(name, spec.partitions, spec.max_message_bytes) for name in missing],
            )
        return missing

    @translated()
    def describe_topics(self) -> list[TopicDescription]:
        with self._connect() as connection:
            rows = connection.execute("SELECT name, partitions FROM topics ORDER BY name").fetchall()
        return [
            TopicDescription(name, partitions, replication=1, in_sync=1, settings={})
            for name, partitions in rows
        ]

    @translated()
    def describe_group(self, group: str, topics: Sequence[str]) -> GroupDescription:
        with self._connect() as connection:
            places = committed(connection, group, topics)
            lag = sum(end(connection, *place) - position for place, position in places.items())
        return GroupDescription(group, members=None, lag=lag, lost=0)

    def offset_retention_days(self) -> float | None:
        """None: this log keeps the offsets of a group for ever."""
        return None

    def open_transactions(self, topics: Sequence[str]) -> list[OpenTransaction]:
        """Always empty: this log has no producer transactions."""
        return []

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self._path,
            timeout=BUSY_SECONDS,
            isolation_level=None,
            check_same_thread=False,
            factory=_Connection,
        )
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
        except BaseException:
            connection.close()
            raise
        return connection


class _Connection(sqlite3.Connection):
    """A connection that is closed at the end of its `with` block."""

    def __exit__(self, *_: object) -> None:  # type: ignore[override]
        self.close()


class EmbeddedProducer:
    """Appends each batch in one transaction, so that all of it is acknowledged at once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._unkeyed = 0

    def send(self, records: Sequence[Outgoing]) -> list[Delivery]:
        try:
            with transaction(self._connection):
                return self._append(records)
        except (sqlite3.OperationalError, TopicMissing) as error:
            return [Delivery(error=error) for _ in records]

    def wait(self, deliveries: Sequence[Delivery], *, seconds: float) -> bool:
        return True

    def close(self) -> None:
        self._connection.close()

    def _append(self, records: Sequence[Outgoing]) -> list[Delivery]:
        deliveries = []
        ends: Position = {}
        now = int(time.time() * 1000)
        for record in records:
            if problem := refusal(self._connection, record):
                deliveries.append(Delivery(error=problem, permanent=True))
                continue
            place = record.topic, self._partition(record)
            if place not in ends:
                ends[place] = end(self._connection, *place)
            self._connection.execute(
                "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*place, ends[place], now, record.key, record.value, pack(record)),
            )
            ends[place] += 1
            deliveries.append(Delivery(acknowledged=True))
        return deliveries

    def _partition(self, record: Outgoing) -> int:
        if record.key is not None:
            return partition_of(self._connection, record.topic, record.key)
        self._unkeyed += 1
        return self._unkeyed % partitions_of(self._connection, record.topic)


class EmbeddedSubscription:
    """The only consumer of a group. The operating system frees its lock however the process ends."""

    def __init__(self, connection: sqlite3.Connection, group: str, topics: Sequence[str], lock: int) -> None:
        self._connection = connection
        self._group = group
        self._topics = topics
        self._lock = lock
        self._positions: Position = {}

    @property
    def generation(self) -> object:
        """Constant: a group has one consumer, which has every partition."""
        return self._group

    def poll(self, *, seconds: float) -> list[Record]:
        if not self._positions:
            self._positions = committed(self._connection, self._group, self._topics)
        return wait_for_records(self._connection, self._positions, seconds)

    def acknowledge(self, records: Sequence[Record]) -> None:
        ends = {(r.topic, r.partition): r.offset + 1 for r in records}
        with transaction(self._connection):
            self._connection.executemany(
                "INSERT INTO offsets VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET next = excluded.next",
                [(self._group, *place, following) for place, following in ends.items()],
            )

    def rewind(self, records: Sequence[Record]) -> None:
        self._positions |= {(r.topic, r.partition): r.offset for r in reversed(records)}

    def lag(self) -> Mapping[tuple[str, int], int]:
        return {place: end(self._connection, *place) - at for place, at in self._positions.items()}

    def close(self) -> None:
        self._connection.close()
        os.close(self._lock)
