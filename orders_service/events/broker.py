"""What we ask of a broker. `kafka.py` and `embedded.py` are its two sides; one suite tests both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from orders_service.events.envelope import Headers


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
    """A record to be sent; its *key* decides the partition."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


@dataclass
class Delivery:
    """What became of a record that was sent: still open, acknowledged, or failed."""

    acknowledged: bool = False
    error: Exception | None = None
    for_good: bool = False  # The broker would refuse this record again.

    @property
    def open(self) -> bool:
        return not self.acknowledged and self.error is None


@dataclass(frozen=True)
class TopicSpec:
    """How a topic is to be created."""

    partitions: int = 6
    replication: int = 1
    min_insync_replicas: int = 1
    retention_days: int = 7
    max_message_bytes: int = 1_048_576


@dataclass(frozen=True)
class TopicDescription:
    """How a topic is. *replication* and *in_sync* are those of its worst partition."""

    name: str
    partitions: int
    replication: int
    in_sync: int  # Replicas that have everything; fewer than `min.insync.replicas` take no record.
    settings: Mapping[str, str]


@dataclass(frozen=True)
class GroupDescription:
    """How far a consumer group is with some topics."""

    name: str
    members: int | None  # Consumers that it has now; None if the broker cannot tell.
    lag: int  # Records that wait for it, except those of open transactions and behind them.
    lost: int  # Records that the log dropped before the group acknowledged them.


class BrokerError(Exception):
    """The broker did not do what it was asked; the same may succeed later."""


class TopicMissing(BrokerError):
    """A topic does not exist, and nobody but `topics create` makes one."""

    def __init__(self, topic: str) -> None:
        super().__init__(f"topic {topic} does not exist: create it with `orders-service topics create`")


class RecordRefused(Exception):
    """The broker would refuse this record again: it is too large, or malformed."""


class GroupTaken(BrokerError):
    """The embedded log serves one consumer of a group, and it has one."""

    def __init__(self, group: str) -> None:
        super().__init__(f"group {group} has its consumer already; the embedded log serves one")


class Producer(Protocol):
    """Sends records; those of one key stay in order."""

    def send(self, records: Sequence[Outgoing]) -> list[Delivery]:
        """Hand *records* over, all of one topic; one delivery for each, in their order. Returns soon."""

    def wait(self, deliveries: Sequence[Delivery], *, seconds: float) -> bool:
        """Wait at most *seconds* until no delivery is open. True if none is."""

    def close(self) -> None:
        """Let go. What is still open may be delivered or not."""


class Subscription(Protocol):
    """A consumer's place in a group: it gets each record of its topics until it acknowledges it."""

    @property
    def generation(self) -> object:
        """Differs from an earlier one if another member may have read this one's partitions in between."""

    def poll(self, *, seconds: float) -> list[Record]:
        """The next records, in the order of each partition; none after *seconds* without."""

    def acknowledge(self, records: Sequence[Record]) -> None:
        """Their effects are committed. If this fails they come again, which is normal."""

    def rewind(self, records: Sequence[Record]) -> None:
        """Their effects are not committed: poll returns them again."""

    def close(self) -> None:
        """Leave the group. What is not acknowledged comes again, here or to another member."""


class Reader(Protocol):
    """Reads topics without a group, for tools that look."""

    def poll(self, *, seconds: float) -> list[Record]:
        """The next records; none after *seconds* without."""

    def close(self) -> None:
        """Let go."""


@dataclass(frozen=True)
class OpenTransaction:
    """A producer's transaction that has not ended. Nothing behind its first record can be read."""

    topic: str
    partition: int
    offset: int  # Of its first record.
    waiting: int  # Offsets from there to the end.
    quiet_seconds: float  # Since the producer's last record.
    producer_id: int
    transactional_id: str | None  # None if the coordinator does not know it, or we may not ask.


class Broker(Protocol):
    """A log of topics."""

    def producer(self) -> Producer: ...

    def subscribe(self, group: str, topics: Sequence[str]) -> Subscription: ...

    def read(self, topics: Sequence[str], *, from_start: bool) -> Reader: ...

    def create_topics(self, names: Sequence[str], spec: TopicSpec) -> list[str]:
        """Create those of *names* that do not exist; the names of those it created."""

    def describe_topics(self) -> list[TopicDescription]: ...

    def describe_group(self, group: str, topics: Sequence[str]) -> GroupDescription:
        """How far *group* is with *topics*, which must exist. It takes nothing from the group."""

    def group_memory_days(self) -> float | None:
        """For how long the offsets of a group without consumers are kept; None if that is not known."""

    def open_transactions(self, topics: Sequence[str]) -> list[OpenTransaction]:
        """Transactions of any producer that have not ended in *topics*, which must exist."""
