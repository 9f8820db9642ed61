"""The interface of a broker. `kafka/` and `embedded.py` implement it; one test suite tests both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from orders_service.contract.wire import Headers
from orders_service.events.brokers.observer import Observer


@dataclass(frozen=True)
class Record:
    """One record of a log, as it was read. *timestamp* is in milliseconds since 1970."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers

    def __str__(self) -> str:
        return f"{self.topic}-{self.partition}@{self.offset}"


@dataclass(frozen=True)
class Outgoing:
    """A record to send; its *key* decides the partition."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass
class Delivery:
    """The state of a record that was sent: open, acknowledged, or failed."""

    acknowledged: bool = False
    error: Exception | None = None
    permanent: bool = False  # The broker would refuse this record again.

    @property
    def open(self) -> bool:
        return not self.acknowledged and self.error is None


@dataclass(frozen=True)
class TopicSpec:
    """The settings of a topic to create."""

    partitions: int = 6
    replication: int = 1
    min_insync_replicas: int = 1
    retention_days: int = 7
    max_message_bytes: int = 1_048_576


@dataclass(frozen=True)
class TopicDescription:
    """The settings and the state of a topic. *replication* and *in_sync* are of its worst partition."""

    name: str
    partitions: int
    replication: int
    in_sync: int  # Replicas that are in sync. Below `min.insync.replicas` no record is accepted.
    settings: Mapping[str, str]


@dataclass(frozen=True)
class GroupDescription:
    """The progress of a consumer group in some topics."""

    name: str
    members: int | None  # Its consumers now; None if the broker cannot tell.
    lag: int  # Records that it has not read, without those of open transactions and behind them.
    lost: int  # Records that the log deleted before the group acknowledged them.


class BrokerError(Exception):
    """The broker did not carry out a request; the same request may succeed later."""


class TopicMissing(BrokerError):
    """A topic does not exist. Only `topics create` creates topics."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"topic {topic} does not exist. Create it with: orders-service topics create")


class RecordRefused(Exception):
    """The broker would refuse this record again: it is too large, or malformed."""


class GroupTaken(BrokerError):
    """The group has a consumer already, and the embedded log allows one per group."""

    def __init__(self, group: str) -> None:
        super().__init__(f"group {group} already has a consumer; the embedded log allows one per group")


class Producer(Protocol):
    """Sends records. Records with the same key stay in order."""

    def send(self, records: Sequence[Outgoing]) -> list[Delivery]:
        """Start to send *records*, all of one topic. Returns soon, with one delivery for each, in order."""

    def wait(self, deliveries: Sequence[Delivery], *, seconds: float) -> bool:
        """Wait until no delivery is open, for *seconds* at most. True if none is open."""

    def close(self) -> None:
        """Close the connections. A record whose delivery is still open may arrive or not."""


class Subscription(Protocol):
    """A consumer's membership of a group. It receives each record again until it acknowledges it."""

    @property
    def generation(self) -> object:
        """A value that changes if another member may have read this one's partitions in between.

        It may be None before the subscription has joined its group.
        """

    def poll(self, *, seconds: float) -> list[Record]:
        """The next records, in the order of each partition. Empty if none comes within *seconds*."""

    def acknowledge(self, records: Sequence[Record]) -> None:
        """Commit the offsets of *records*, after their effects.

        If this fails, the records come again, which is normal.
        """

    def rewind(self, records: Sequence[Record]) -> None:
        """Let `poll` return *records* again, because their effects were not committed."""

    def lag(self) -> Mapping[tuple[str, int], int]:
        """How many offsets of each of its partitions `poll` has not passed, by topic and partition.

        Offsets of open and aborted transactions count, too. Cheap, because it is read after each batch: the
        end of a partition is the one that the client last learnt. After `rewind`, when it may fetch nothing,
        the client requests the ends, every few seconds at most. Empty if the subscription has no partitions.
        """

    def close(self) -> None:
        """Leave the group. Records that are not acknowledged come again, here or to another member."""


class Reader(Protocol):
    """Reads topics without a consumer group, for tools that only look."""

    def poll(self, *, seconds: float) -> list[Record]:
        """The next records. Empty if none comes within *seconds*."""

    def close(self) -> None:
        """Close the connection."""


class PartitionReader(Reader, Protocol):
    """Reads one partition, from a time on, for tools that look for a record."""

    @property
    def partition(self) -> int: ...

    @property
    def begins_late(self) -> bool:
        """Whether it starts at the log's beginning, and the log has deleted records before that."""

    @property
    def is_at_end(self) -> bool:
        """Whether `poll` has returned every record that was there when the reader was made."""


@dataclass(frozen=True)
class OpenTransaction:
    """A producer's transaction that has not ended. Its records and those behind them cannot be read yet."""

    topic: str
    partition: int
    offset: int  # Of its first record.
    waiting: int  # Offsets from its first record to the end of the partition.
    quiet_seconds: float  # Since the producer's last record.
    producer_id: int
    transactional_id: str | None  # None if the coordinator does not know it, or we may not ask.


class Broker(Protocol):
    """A broker: creates and describes topics, and makes the clients that write and read them."""

    def producer(self) -> Producer: ...

    def subscribe(self, group: str, topics: Sequence[str]) -> Subscription: ...

    def read(self, topics: Sequence[str], *, from_start: bool) -> Reader: ...

    def observer(self) -> Observer: ...

    def read_since(self, topic: str, key: bytes, *, since: int) -> PartitionReader:
        """Read the partition of *key* from its first record of the time *since* (in ms, as in `Record`)."""

    def create_topics(self, names: Sequence[str], spec: TopicSpec) -> list[str]:
        """Create those of *names* that do not exist. Returns the names of the topics it created."""

    def describe_topics(self) -> list[TopicDescription]: ...

    def describe_group(self, group: str, topics: Sequence[str]) -> GroupDescription:
        """The progress of *group* in *topics*, which must exist. Does not join the group."""

    def offset_retention_days(self) -> float | None:
        """How many days the broker keeps the offsets of a group without consumers; None if not known."""

    def open_transactions(self, topics: Sequence[str]) -> list[OpenTransaction]:
        """The open transactions of all producers in *topics*, which must exist."""
