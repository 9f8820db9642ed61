"""The interface of an observer: it looks at topics and groups again and again, and joins no group."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from orders_service.events.brokers.port import Record

Place = tuple[str, int]  # A topic and a partition.


@dataclass(frozen=True)
class PartitionState:
    """The log of a partition, and the brokers that store it."""

    first: int  # The offset of the oldest record that is not deleted.
    end: int  # The offset behind the last record that a consumer can read: open transactions hide others.
    leader: int | None = None  # The id of the broker that answers for it; None if the log has no brokers.
    replication: int = 1
    in_sync: int = 1  # Replicas that are in sync.


@dataclass(frozen=True)
class Member:
    """A consumer of a group, and the partitions that it has now."""

    name: str
    places: Sequence[Place]


@dataclass(frozen=True)
class GroupState:
    """The members of a consumer group, and the offsets that it committed."""

    members: Sequence[Member] | None  # None if the broker cannot tell.
    committed: Mapping[Place, int]  # Without the partitions in which it has committed nothing.


class Observer(Protocol):
    """Keeps its connection from one look to the next. One thread uses it at a time."""

    def partitions(self, topics: Sequence[str]) -> dict[Place, PartitionState]:
        """The state of each partition of *topics*; raises `TopicMissing`."""

    def groups(self, topics: Mapping[str, Sequence[str]]) -> dict[str, GroupState]:
        """The state of each group in its *topics*, which must exist."""

    def newest(self, topic: str, most: int) -> "list[Record]":
        """At most *most* of the newest records of *topic*, the newest first; raises `TopicMissing`."""

    def close(self) -> None:
        """Close the connection."""


def lag_of(state: PartitionState, committed: int | None) -> int:
    """How many offsets of a partition a group has not read.

    An offset behind the end belongs to an older log: the group starts at the beginning. So read *committed*
    before *state*: a group that reads meanwhile must not seem to be ahead of the log.
    """
    begin = state.first if committed is None or committed > state.end else max(committed, state.first)
    return max(0, state.end - begin)
