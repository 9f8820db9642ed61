"""The readings of the broker: the lengths of the topics, the progress of each group, and its members."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orders_service import resources
from orders_service.broker_client import broker
from orders_service.events.brokers.observer import (
    GroupState,
    Member,
    Observer,
    PartitionState,
    Place,
    lag_of,
)
from orders_service.processes import CONSUMERS
from orders_service.settings import Settings


@dataclass(frozen=True)
class GroupReading:
    """The progress of a consumer group in its topic."""

    name: str
    topic: str
    state: GroupState
    lags: Mapping[Place, int]
    end: int  # The sum of the ends of the topic's partitions.

    @property
    def lag(self) -> int:
        """The records that it has not read."""
        return sum(self.lags.values())

    @property
    def passed(self) -> int:
        """The sum of the offsets that it has passed: the difference of two is what it has read meanwhile."""
        return sum(self.state.committed.values())

    @property
    def members(self) -> Sequence[Member] | None:
        """Its consumers; None if the broker cannot tell."""
        return self.state.members


@dataclass(frozen=True)
class LogReading:
    """The state of the topics and of the groups, by the command of their consumer."""

    partitions: Mapping[Place, PartitionState]
    groups: Mapping[str, GroupReading]

    def end(self, topic: str) -> int:
        """The sum of the ends of a topic's partitions."""
        return sum(state.end for state in self.of_topic(topic).values())

    def of_topic(self, topic: str) -> dict[int, PartitionState]:
        """The partitions of a topic."""
        return {number: state for (name, number), state in self.partitions.items() if name == topic}


class LogLook:
    """Reads the topics of the orders and of the catalog, and the groups that read them."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._observer: Observer | None = None
        self._groups = {
            consumer.command: (resources.group(settings, consumer), resources.topic(settings, consumer))
            for consumer in CONSUMERS
        }

    def read(self) -> LogReading:
        """The present state; raises `BrokerError`."""
        if self._observer is None:
            self._observer = broker(self._settings).observer()
        topics = list(dict.fromkeys(topic for _, topic in self._groups.values()))
        # Groups first: an offset that was committed after the end was read would seem to be of an older log.
        states = self._observer.groups({group: [topic] for group, topic in self._groups.values()})
        partitions = self._observer.partitions(topics)
        return LogReading(
            partitions,
            {
                command: _group(group, topic, partitions, states[group])
                for command, (group, topic) in self._groups.items()
            },
        )

    def close(self) -> None:
        """Close the connection."""
        observer, self._observer = self._observer, None
        if observer is not None:
            observer.close()


def _lags(partitions: Mapping[Place, PartitionState], topic: str, group: GroupState) -> dict[Place, int]:
    return {
        place: lag_of(state, group.committed.get(place))
        for place, state in partitions.items()
        if place[0] == topic
    }


def _group(name: str, topic: str, all_: Mapping[Place, PartitionState], state: GroupState) -> GroupReading:
    partitions = {place: partition for place, partition in all_.items() if place[0] == topic}
    return GroupReading(
        name,
        topic,
        state,
        lags={place: lag_of(each, state.committed.get(place)) for place, each in partitions.items()},
        end=sum(each.end for each in partitions.values()),
    )
