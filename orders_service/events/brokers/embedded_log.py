"""The SQLite tables of the embedded log, and the queries on them."""

import fcntl
import json
import os
import sqlite3
import time
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from orders_service.contract.wire import Headers
from orders_service.events.brokers.port import (
    BrokerError,
    GroupTaken,
    Outgoing,
    Record,
    RecordRefused,
    TopicMissing,
)

BATCH = 500
LOOK_SECONDS = (0.002, 0.05)  # The first and the longest pause between two reads of an empty log.

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


@contextmanager
def translated() -> Iterator[None]:
    """Raises what the file's driver raises as `BrokerError`. It is also a decorator."""
    try:
        yield
    except sqlite3.Error as error:
        raise BrokerError(f"the embedded log cannot be read: {error}") from error


def committed(connection: sqlite3.Connection, group: str, topics: Sequence[str]) -> Position:
    """The offset that *group* reads next in each partition of *topics*."""
    found = committed_by(connection, group, topics)
    return {
        (topic, partition): found.get((topic, partition), 0)
        for topic in topics
        for partition in range(partitions_of(connection, topic))
    }


def committed_by(connection: sqlite3.Connection, group: str, topics: Sequence[str]) -> Position:
    """The offsets that *group* has committed in *topics*."""
    rows = connection.execute("SELECT topic, partition, next FROM offsets WHERE consumer_group = ?", (group,))
    return {(topic, partition): following for topic, partition, following in rows if topic in topics}


def lock_group(path: Path, group: str) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(lock)
        raise GroupTaken(group) from error
    return lock


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _topic(connection: sqlite3.Connection, name: str) -> tuple[int, int]:
    """A topic's number of partitions, and the size of the largest record that it accepts."""
    found = connection.execute("SELECT partitions, max_message_bytes FROM topics WHERE name = ?", (name,))
    for partitions, largest in found:
        return partitions, largest
    raise TopicMissing(name)


def partitions_of(connection: sqlite3.Connection, topic: str) -> int:
    return _topic(connection, topic)[0]


def partition_of(connection: sqlite3.Connection, topic: str, key: bytes) -> int:
    """The partition of the records with this key."""
    return zlib.crc32(key) % partitions_of(connection, topic)


def refusal(connection: sqlite3.Connection, record: Outgoing) -> RecordRefused | None:
    """Why the topic does not accept the record, by Kafka's rules; None if it does."""
    if record.key is None and record.value is None:
        return RecordRefused("the record has neither key nor value")
    _, largest = _topic(connection, record.topic)
    size = len(record.key or b"") + len(record.value or b"") + len(pack(record))
    return (
        RecordRefused(f"the record has {size} bytes; the topic allows {largest}") if size > largest else None
    )


def end(connection: sqlite3.Connection, topic: str, partition: int) -> int:
    (last,) = connection.execute(
        "SELECT max(offset) FROM records WHERE topic = ? AND partition = ?", (topic, partition)
    ).fetchone()
    return 0 if last is None else int(last) + 1


def begin(connection: sqlite3.Connection, topic: str, partition: int) -> int:
    """The offset of the oldest record of a partition; 0 if it has none."""
    (first,) = connection.execute(
        "SELECT min(offset) FROM records WHERE topic = ? AND partition = ?", (topic, partition)
    ).fetchone()
    return int(first or 0)


def newest(connection: sqlite3.Connection, topic: str, most: int) -> list[Record]:
    """At most *most* of the newest records of *topic*, the newest first."""
    places = [
        (timestamp, offset, partition)
        for partition in range(partitions_of(connection, topic))
        for offset, timestamp in connection.execute(
            "SELECT offset, timestamp FROM records WHERE topic = ? AND partition = ?"
            " ORDER BY offset DESC LIMIT ?",
            (topic, partition, most),
        )
    ]
    return [
        Record(topic, partition, offset, timestamp, key, value, _unpack(headers))
        for timestamp, offset, partition in sorted(places, reverse=True)[:most]
        for key, value, headers in connection.execute(
            "SELECT key, value, headers FROM records WHERE topic = ? AND partition = ? AND offset = ?",
            (topic, partition, offset),
        )
    ]


def offset_since(connection: sqlite3.Connection, topic: str, partition: int, since: int) -> int:
    """The offset of the first record of the time *since* or later; the end if there is none.

    Bisects the offsets, because no index has the times. It reads only these rows.
    """
    low, high = 0, end(connection, topic, partition)
    while low < high:
        middle = (low + high) // 2
        (time_of_middle,) = connection.execute(
            "SELECT timestamp FROM records"
            " WHERE topic = ? AND partition = ? AND offset >= ? ORDER BY offset LIMIT 1",
            (topic, partition, middle),
        ).fetchone()
        low, high = (middle + 1, high) if time_of_middle < since else (low, middle)
    return low


def wait_for_records(connection: sqlite3.Connection, positions: Position, seconds: float) -> list[Record]:
    """The next records at *positions*, which it advances. Polls ever less often, for *seconds* at most."""
    deadline = time.monotonic() + seconds
    pause = LOOK_SECONDS[0]
    while not (records := _fetch(connection, positions)) and time.monotonic() < deadline:
        time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(pause * 1.5, LOOK_SECONDS[1])
    return records


def _fetch(connection: sqlite3.Connection, positions: Position) -> list[Record]:
    records: list[Record] = []
    for (topic, partition), position in list(positions.items()):
        rows = connection.execute(
            "SELECT offset, timestamp, key, value, headers FROM records"
            " WHERE topic = ? AND partition = ? AND offset >= ? ORDER BY offset LIMIT ?",
            (topic, partition, position, BATCH - len(records)),
        ).fetchall()
        records += [
            Record(topic, partition, offset, timestamp, key, value, _unpack(headers))
            for offset, timestamp, key, value, headers in rows
        ]
        if rows:  # It goes behind the others, so that a partition with a backlog does not keep them waiting.
            del positions[topic, partition]
            positions[topic, partition] = rows[-1][0] + 1
    return records


def pack(record: Outgoing) -> str:
    """A record's headers as JSON."""
    return json.dumps(
        [[name, None if value is None else value.decode("latin-1")] for name, value in record.headers]
    )


def _unpack(headers: str) -> Headers:
    pairs = json.loads(headers)
    return tuple([(name, None if value is None else value.encode("latin-1")) for name, value in pairs])
