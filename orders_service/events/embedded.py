"""A broker in one SQLite file: an append-only log and the groups' offsets. For `run` and for tests."""

import fcntl
import json
import os
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from orders_service.events.broker import (
    Delivery,
    GroupDescription,
    GroupTaken,
    OpenTransaction,
    Outgoing,
    Record,
    RecordRefused,
    TopicDescription,
    TopicMissing,
    TopicSpec,
)

BUSY_SECONDS = 5
BATCH = 500
LOOK_SECONDS = (0.002, 0.05)  # An empty log is looked at again after the first, in the end after the second.

TABLES = """
    CREATE TABLE IF NOT EXISTS topics (
        name TEXT PRIMARY KEY, partitions INTEGER NOT NULL, max_message_bytes INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS records (
        topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL, timestamp INTEGER NOT NULL,
        key BLOB, value BLOB, headers TEXT NOT NULL, PRIMARY KEY (topic, partition, offset)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS offsets (
        consumer_group TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
        PRIMARY KEY (consumer_group, topic, partition)) WITHOUT ROWID;
"""

Position = dict[tuple[str, int], int]


class EmbeddedBroker:
    """The log in *path*. Several processes may share it; a group has one consumer at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._connect() as connection:
            connection.executescript(TABLES)

    def producer(self) -> "EmbeddedProducer":
        return EmbeddedProducer(self._connect())

    def subscribe(self, group: str, topics: Sequence[str]) -> "EmbeddedSubscription":
        lock = _lock_group(
            self._path.with_name(f"{self._path.name}.{zlib.crc32(group.encode()):08x}.lock"), group
        )
        try:
            return EmbeddedSubscription(self._connect(), group, topics, lock)
        except BaseException:
            os.close(lock)
            raise

    def read(self, topics: Sequence[str], *, from_start: bool) -> "EmbeddedReader":
        connection = self._connect()
        try:
            return EmbeddedReader(connection, topics, from_start=from_start)
        except BaseException:
            connection.close()
            raise

    def create_topics(self, names: Sequence[str], spec: TopicSpec) -> list[str]:
        with self._connect() as connection, _transaction(connection):
            known = {name for (name,) in connection.execute("SELECT name FROM topics")}
            missing = [name for name in dict.fromkeys(names) if name not in known]
            connection.executemany(
                "INSERT INTO topics VALUES (?, ?, ?)",
                [(name, spec.partitions, spec.max_message_bytes) for name in missing],
            )
        return missing

    def describe_topics(self) -> list[TopicDescription]:
        with self._connect() as connection:
            rows = connection.execute("SELECT name, partitions FROM topics ORDER BY name").fetchall()
        return [
            TopicDescription(name, partitions, replication=1, in_sync=1, settings={})
            for name, partitions in rows
        ]

    def describe_group(self, group: str, topics: Sequence[str]) -> GroupDescription:
        with self._connect() as connection:
            places = _committed(connection, group, topics)
            lag = sum(_end(connection, *place) - position for place, position in places.items())
        return GroupDescription(group, members=None, lag=lag, lost=0)

    def open_transactions(self, topics: Sequence[str]) -> list[OpenTransaction]:
        """None: this log has no producers' transactions."""
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
    """A connection that its `with` block closes."""

    def __exit__(self, *_: object) -> None:  # type: ignore[override]
        self.close()


class EmbeddedProducer:
    """Appends each batch in one transaction, so that it is acknowledged as a whole and at once."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._unkeyed = 0

    def send(self, records: Sequence[Outgoing]) -> list[Delivery]:
        try:
            with _transaction(self._connection):
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
            if refusal := _refusal(self._connection, record):
                deliveries.append(Delivery(error=refusal, for_good=True))
                continue
            place = record.topic, self._partition(record)
            if place not in ends:
                ends[place] = _end(self._connection, *place)
            self._connection.execute(
                "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?)",
                (*place, ends[place], now, record.key, record.value, _pack(record)),
            )
            ends[place] += 1
            deliveries.append(Delivery(acknowledged=True))
        return deliveries

    def _partition(self, record: Outgoing) -> int:
        partitions = _partitions(self._connection, record.topic)
        if record.key is not None:
            return zlib.crc32(record.key) % partitions
        self._unkeyed += 1
        return self._unkeyed % partitions


class EmbeddedReader:
    """Reads on from a position that nobody else knows."""

    def __init__(self, connection: sqlite3.Connection, topics: Sequence[str], *, from_start: bool) -> None:
        self._connection = connection
        self._positions: Position = {
            (topic, partition): 0 if from_start else _end(connection, topic, partition)
            for topic in topics
            for partition in range(_partitions(connection, topic))
        }

    def poll(self, *, seconds: float) -> list[Record]:
        return _await(self._connection, self._positions, seconds)

    def close(self) -> None:
        self._connection.close()


class EmbeddedSubscription:
    """A group's one consumer. Its lock goes when the process does, however that ends."""

    def __init__(self, connection: sqlite3.Connection, group: str, topics: Sequence[str], lock: int) -> None:
        self._connection = connection
        self._group = group
        self._topics = topics
        self._lock = lock
        self._positions: Position = {}

    @property
    def generation(self) -> object:
        """Always the same: a group has one consumer, which has every partition."""
        return self._group

    def poll(self, *, seconds: float) -> list[Record]:
        if not self._positions:
            self._positions = _committed(self._connection, self._group, self._topics)
        return _await(self._connection, self._positions, seconds)

    def acknowledge(self, records: Sequence[Record]) -> None:
        ends = {(r.topic, r.partition): r.offset + 1 for r in records}
        with _transaction(self._connection):
            self._connection.executemany(
                "INSERT INTO offsets VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET next = excluded.next",
                [(self._group, *place, end) for place, end in ends.items()],
            )

    def rewind(self, records: Sequence[Record]) -> None:
        self._positions |= {(r.topic, r.partition): r.offset for r in reversed(records)}

    def close(self) -> None:
        self._connection.close()
        os.close(self._lock)


def _committed(connection: sqlite3.Connection, group: str, topics: Sequence[str]) -> Position:
    """What *group* reads next of *topics*."""
    rows = connection.execute("SELECT topic, partition, next FROM offsets WHERE consumer_group = ?", (group,))
    committed = {(topic, partition): end for topic, partition, end in rows}
    return {
        (topic, partition): committed.get((topic, partition), 0)
        for topic in topics
        for partition in range(_partitions(connection, topic))
    }


def _lock_group(path: Path, group: str) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise GroupTaken(group) from error
    return lock


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _topic(connection: sqlite3.Connection, name: str) -> tuple[int, int]:
    """Its partitions, and the size of its largest record."""
    found = connection.execute("SELECT partitions, max_message_bytes FROM topics WHERE name = ?", (name,))
    for partitions, largest in found:
        return partitions, largest
    raise TopicMissing(name)


def _partitions(connection: sqlite3.Connection, topic: str) -> int:
    return _topic(connection, topic)[0]


def _refusal(connection: sqlite3.Connection, record: Outgoing) -> RecordRefused | None:
    """Why the topic will not take the record, as Kafka would say it."""
    if record.key is None and record.value is None:
        return RecordRefused("neither key nor value")
    _, largest = _topic(connection, record.topic)
    size = len(record.key or b"") + len(record.value or b"") + len(_pack(record))
    return RecordRefused(f"{size} bytes, {largest} are allowed") if size > largest else None


def _end(connection: sqlite3.Connection, topic: str, partition: int) -> int:
    (last,) = connection.execute(
        "SELECT max(offset) FROM records WHERE topic = ? AND partition = ?", (topic, partition)
    ).fetchone()
    return 0 if last is None else int(last) + 1


def _await(connection: sqlite3.Connection, positions: Position, seconds: float) -> list[Record]:
    """The next records at *positions*, which move on; looks again, ever less often, for *seconds*."""
    deadline = time.monotonic() + seconds
    pause = LOOK_SECONDS[0]
    while not (records := _fetch(connection, positions)) and time.monotonic() < deadline:
        time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(pause * 1.5, LOOK_SECONDS[1])
    return records


def _fetch(connection: sqlite3.Connection, positions: Position) -> list[Record]:
    records: list[Record] = []
    for (topic, partition), position in positions.items():
        rows = connection.execute(
            "SELECT offset, timestamp, key, value, headers FROM records"
            " WHERE topic = ? AND partition = ? AND offset >= ? ORDER BY offset LIMIT ?",
            (topic, partition, position, BATCH - len(records)),
        ).fetchall()
        records += [
            Record(topic, partition, offset, timestamp, key, value, _unpack(headers))
            for offset, timestamp, key, value, headers in rows
        ]
        if rows:
            positions[topic, partition] = rows[-1][0] + 1
    return records


def _pack(record: Outgoing) -> str:
    return json.dumps([[name, value.decode("latin-1")] for name, value in record.headers])


def _unpack(headers: str) -> tuple[tuple[str, bytes], ...]:
    return tuple((name, value.encode("latin-1")) for name, value in json.loads(headers))
