"""The consumer groups of the simulated broker, and their members."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orders_service.events.brokers.port import BrokerError, Record
from orders_service.events.errors import EventsGone
from rig.simulation.log import Place

if TYPE_CHECKING:
    from rig.simulation.broker import SimulatedBroker


@dataclass(eq=False)
class Group:
    """A consumer group: its members in the order of joining, and the offsets that it committed."""

    members: "list[SimulatedSubscription]" = field(default_factory=list)
    generation: int = 0
    turn: int = 0  # Rotates the assignment.
    offsets: dict[Place, tuple[int, int]] = field(default_factory=dict)  # With the id of the topic.
    # The owner of each partition, and the generation since which it has owned it without interruption.
    owners: "dict[Place, tuple[SimulatedSubscription, int]]" = field(default_factory=dict)

    def spread(self) -> None:
        """Begin a new generation: spread the partitions over the members."""
        self.generation += 1
        before, self.owners = self.owners, {}
        places = dict.fromkeys(place for member in self.members for place in member.places)
        for n, place in enumerate(places, self.turn):
            members = [member for member in self.members if place in member.places]
            owner, known = members[n % len(members)], before.get(place)
            self.owners[place] = known if known and known[0] is owner else (owner, self.generation)


class SimulatedSubscription:
    """A member of a consumer group. It joins in its first poll, and again after it was expelled."""

    def __init__(
        self, broker: "SimulatedBroker", group: str, topics: Sequence[str], *, skip_gap: bool
    ) -> None:
        self.group = group
        self.places: list[Place] = []  # Every partition of its topics, from the time it joins.
        self._broker = broker
        self._topics = topics
        self._skip_gap = skip_gap
        self._generation: tuple[str, int] | None = None
        self._positions: dict[Place, int] = {}  # It has one for each partition that it owns.
        self._topic_ids: dict[Place, int] = {}  # The topic that each position belongs to.
        self._no_news_since = -1  # The broker's count of changes when there was none.
        self._open: dict[Place, int] = {}  # The offset behind records not acknowledged yet.

    @property
    def generation(self) -> tuple[str, int] | None:
        """The member's id and the generation; None before it joins."""
        return self._generation

    def poll(self, *, seconds: float) -> list[Record]:
        broker, scheduler = self._broker, self._broker.scheduler
        scheduler.pause()
        until = scheduler.now + seconds
        broker.settle()
        records = self._take()
        while not records and scheduler.now < until:
            broker.wait(self._has_news, until - scheduler.now)
            records = self._take()
        if broker.down and self._generation is None:
            raise BrokerError("the broker does not answer")
        return records

    def acknowledge(self, records: Sequence[Record]) -> None:
        """Commit the offsets of *records*. A member that missed a rebalance commits nothing."""
        self._broker.scheduler.pause()
        self._broker.settle()
        if self._broker.down or not self._is_current():
            return
        ends: dict[Place, int] = {}
        for record in records:
            place = record.topic, record.partition
            ends[place] = max(record.offset + 1, ends.get(place, 0))
        for place, end in ends.items():
            if place in self._positions:
                self._commit(place, end)
                if self._open.get(place, end) <= end:
                    self._open.pop(place, None)

    def rewind(self, records: Sequence[Record]) -> None:
        for record in sorted(records, key=lambda record: record.offset, reverse=True):
            if (record.topic, record.partition) in self._positions:
                self._positions[record.topic, record.partition] = record.offset
        self._no_news_since = -1

    def lag(self) -> Mapping[Place, int]:
        return {place: max(0, self._broker.log(place).end - at) for place, at in self._positions.items()}

    def close(self) -> None:
        """Leave the group. A killed process cannot: its member stays until it is expelled."""
        task = self._broker.scheduler.current
        if task is None or not task.killed:
            self._broker.expel(self)
            self._forget()

    def _is_current(self) -> bool:
        """Whether the member has joined, and no member has joined or left since it last looked."""
        generation = self._broker.group(self.group).generation
        return self._generation is not None and self._generation[1] == generation

    def _has_news(self) -> bool:
        """Whether `_take` would do anything."""
        if self._broker.down or self._no_news_since == self._broker.changes:
            return False
        found = not self._is_current() or any(
            self._is_off(place) or self._broker.log(place).read(position, 1)[0]
            for place, position in self._positions.items()
        )
        if not found:
            self._no_news_since = self._broker.changes
        return found

    def _take(self) -> list[Record]:
        """The next records, without waiting. If there are none, commit the offsets that nobody receives."""
        if self._broker.down:
            return []
        if not self._is_current():
            self._join()
        for place in self._positions:
            if self._is_off(place):
                self._correct(place)
        records = self._broker.fetch(self._positions)
        self._open |= {(record.topic, record.partition): record.offset + 1 for record in records}
        if not records:
            for place, position in self._positions.items():
                if place not in self._open:
                    self._commit(place, position)
        return records

    def _join(self) -> None:
        """Join the group, or learn its present generation. Partitions that stay keep their positions."""
        group = self._broker.group(self.group)
        if self not in group.members:
            self._forget()
            self.places = [log.place for log in self._broker.logs_of(self._topics)]
            group.members.append(self)
            self._broker.changes += 1
            group.spread()
        name, known = self._generation or (f"{self.group}-{next(self._broker.ids)}", 0)
        self._generation = name, group.generation
        owned = {place: since for place, (owner, since) in group.owners.items() if owner is self}
        kept = [place for place in self._positions if owned.get(place, known + 1) <= known]
        self._positions = {place: self._positions[place] for place in kept}
        self._open = {place: end for place, end in self._open.items() if place in kept}
        for place in owned:
            if place not in kept:
                log = self._broker.log(place)
                start = group.offsets.get(place, (log.begins, log.topic_id))
                self._positions[place], self._topic_ids[place] = start

    def _is_off(self, place: Place) -> bool:
        """Whether the log does not have the position, or belongs to another topic."""
        log = self._broker.log(place)
        return self._topic_ids[place] != log.topic_id or not log.begins <= self._positions[place] <= log.end

    def _correct(self, place: Place) -> None:
        """Continue at the beginning of the log. Raises `EventsGone` if unread records were deleted."""
        log, position = self._broker.log(place), self._positions[place]
        if self._topic_ids[place] != log.topic_id:
            position = 0
        if position < log.begins and not self._skip_gap:
            raise EventsGone(*place, self.group, position, log.begins)
        self._positions[place], self._topic_ids[place] = log.begins, log.topic_id
        self._open.pop(place, None)
        self._commit(place, log.begins)

    def _commit(self, place: Place, offset: int) -> None:
        self._broker.group(self.group).offsets[place] = offset, self._topic_ids[place]

    def _forget(self) -> None:
        self._generation = None
        self._positions, self._topic_ids, self._open = {}, {}, {}
