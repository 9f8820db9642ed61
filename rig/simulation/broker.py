"""Kafka in the memory of one thread, on the virtual clock of a simulation.

Offsets, consumer groups, transactions and retention behave as in Kafka. The simulation decides about faults:
`fate` about each record that is sent; `down`, `expel`, `rebalance` and the other methods about the broker.
"""

import itertools
import zlib
from collections.abc import Callable, Sequence

from orders_service.events.brokers.port import (
    BrokerError,
    GroupDescription,
    OpenTransaction,
    Outgoing,
    Record,
    TopicDescription,
    TopicMissing,
    TopicSpec,
)
from rig.simulation.groups import Group, SimulatedSubscription
from rig.simulation.log import Log, Place, Transaction
from rig.simulation.observing import SimulatedObserver
from rig.simulation.scheduler import EPOCH, Scheduler
from rig.simulation.sending import Fate, InFlight, SimulatedProducer


class SimulatedBroker:
    """A Kafka cluster. *epoch* is the time at the start of the simulation, in seconds since 1970."""

    def __init__(self, scheduler: Scheduler, *, epoch: float = EPOCH.timestamp()) -> None:
        self.scheduler = scheduler
        self.fate: Callable[[Outgoing], Fate] = lambda record: Fate()
        self.appended: Callable[[Record], None] = lambda record: None  # Called for each record of `archive`.
        self.archive: list[Record] = []  # All that was stored; a transaction, when it is committed.
        self.max_poll_records = 500
        self.changes = 0  # Counts what may be news to a member of a group.
        self.in_flight: list[InFlight] = []  # In the order of sending.
        self.specs: dict[str, TopicSpec] = {}
        self.ids = itertools.count(1)  # Topics, producers and members take their ids from it.
        self._epoch = epoch
        self._down = False
        self._logs: dict[Place, Log] = {}
        self._groups: dict[str, Group] = {}

    def producer(self) -> SimulatedProducer:
        return SimulatedProducer(self)

    def subscribe(
        self, group: str, topics: Sequence[str], *, skip_gap: bool = False
    ) -> SimulatedSubscription:
        return SimulatedSubscription(self, group, topics, skip_gap=skip_gap)

    def read(self, topics: Sequence[str], *, from_start: bool) -> "SimulatedReader":
        logs = self.logs_of(topics)
        return SimulatedReader(self, {log.place: log.begins if from_start else log.stable for log in logs})

    def observer(self) -> SimulatedObserver:
        return SimulatedObserver(self)

    def read_since(self, topic: str, key: bytes, *, since: int) -> "SimulatedPartitionReader":
        logs = self.logs_of([topic])
        return SimulatedPartitionReader(self, logs[zlib.crc32(key) % len(logs)], since)

    def create_topics(self, names: Sequence[str], spec: TopicSpec) -> list[str]:
        self.logs_of([])
        missing = [name for name in dict.fromkeys(names) if name not in self.specs]
        for name in missing:
            self.specs[name] = spec
            self.recreate_topic(name)
        return missing

    def describe_topics(self) -> list[TopicDescription]:
        self.logs_of([])
        return [
            TopicDescription(name, spec.partitions, spec.replication, in_sync=spec.replication, settings={})
            for name, spec in sorted(self.specs.items())
        ]

    def describe_group(self, group: str, topics: Sequence[str]) -> GroupDescription:
        lag = lost = 0
        for log in self.logs_of(topics):
            position, topic_id = self.group(group).offsets.get(log.place, (-1, 0))
            if topic_id != log.topic_id or position > log.end:
                position = log.begins  # The offset belongs to an older log.
            lag += max(0, log.stable - max(position, log.begins))
            lost += max(0, log.begins - position)
        return GroupDescription(group, members=len(self.group(group).members), lag=lag, lost=lost)

    def offset_retention_days(self) -> float | None:
        """None: this broker keeps the offsets of a group for ever."""
        return None

    def open_transactions(self, topics: Sequence[str]) -> list[OpenTransaction]:
        return [
            OpenTransaction(
                *log.place,
                offset=one.offset,
                waiting=log.end - one.offset,
                quiet_seconds=self.scheduler.now - one.last_written,
                producer_id=one.producer_id,
                transactional_id=None,
            )
            for log in self.logs_of(topics)
            for one in log.open
        ]

    @property
    def down(self) -> bool:
        """Whether the broker answers nobody."""
        return self._down

    @down.setter
    def down(self, down: bool) -> None:
        self.settle()
        self._down = down
        self.changes += 1
        self.settle()

    def rebalance(self, group: str) -> None:
        """Begin a new generation of *group*, in which each partition goes to the next member."""
        self.changes += 1
        self.group(group).turn += 1
        self.group(group).spread()

    def expel(self, member: SimulatedSubscription) -> None:
        """Remove *member* from its group, as when its session times out. It joins again at its next poll."""
        group = self.group(member.group)
        if member in group.members:
            self.changes += 1
            group.members.remove(member)
            group.spread()

    def skip_offsets(self, topic: str, partition: int, count: int) -> None:
        """Leave a gap of *count* offsets at the end of the partition."""
        self.changes += 1
        self.log((topic, partition)).end += count

    def drop_beginning(self, topic: str, partition: int, before: int) -> None:
        """Delete the records whose offset is lower than *before*, as retention does."""
        self.changes += 1
        log = self.log((topic, partition))
        log.begins = max(log.begins, min(before, log.end))
        del log.records[: log.index(log.begins)]

    def recreate_topic(self, name: str) -> None:
        """Delete the topic, and create it again with the same settings."""
        self.changes += 1
        topic_id = next(self.ids)
        for partition in range(self.specs[name].partitions):
            if old := self._logs.get((name, partition)):
                old.open.clear()
            self._logs[name, partition] = Log((name, partition), topic_id)

    def open_transaction(self, topic: str, partition: int, records: Sequence[Outgoing]) -> Transaction:
        """Append *records* in a transaction that stays open."""
        self.settle()
        log = self.log((topic, partition))
        transaction = Transaction(
            log, self._publish, log.end, next(self.ids), self.scheduler.now, self._count_change
        )
        log.open.append(transaction)
        transaction.records += [log.append(record, self._timestamp()) for record in records]
        return transaction

    def settle(self) -> None:
        """Let the records arrive that are due, and fail the deliveries that took too long."""
        if not self.in_flight:
            return
        now = self.scheduler.now
        for sent in self.in_flight:
            if sent.give_up <= now and (self._down or sent.due > sent.give_up) and sent.delivery.open:
                sent.delivery.error = BrokerError("the broker did not answer in time")
        if self._down:
            self.in_flight = [sent for sent in self.in_flight if sent.give_up > now]
            return
        due = [sent for sent in self.in_flight if sent.due <= now]
        if due:
            self.in_flight = [sent for sent in self.in_flight if sent.due > now]
        for sent in sorted(due, key=lambda sent: sent.due):
            self._receive(sent)

    def wait(self, ready: Callable[[], bool], seconds: float) -> bool:
        """As the scheduler's `wait`, but records in flight arrive meanwhile, each when it is due."""

        def settled() -> bool:
            self.settle()
            return ready()

        until = self.scheduler.now + max(0.0, seconds)
        while not settled():
            now = self.scheduler.now
            if now >= until:
                return False
            times = [time for sent in self.in_flight for time in (sent.due, sent.give_up)]
            self.scheduler.wait(settled, min([time for time in times if time > now] + [until]) - now)
        return True

    def fetch(self, positions: dict[Place, int]) -> list[Record]:
        """The next records at *positions*, which it advances."""
        records: list[Record] = []
        for place, position in list(positions.items()):
            limit = self.max_poll_records - len(records)
            if limit <= 0:
                break
            found, behind = self.log(place).read(position, limit)
            if found:  # It goes behind the others, so that a backlog does not keep them waiting.
                del positions[place]
            positions[place] = behind
            records += found
        return records

    def group(self, name: str) -> Group:
        return self._groups.setdefault(name, Group())

    def log(self, place: Place) -> Log:
        return self._logs[place]

    def logs_of(self, topics: Sequence[str]) -> list[Log]:
        """Every partition of *topics*. Raises `TopicMissing`, and `BrokerError` while the broker is down."""
        self.settle()
        if self._down:
            raise BrokerError("the broker does not answer")
        if missing := [topic for topic in topics if topic not in self.specs]:
            raise TopicMissing(missing[0])
        return [self._logs[topic, n] for topic in topics for n in range(self.specs[topic].partitions)]

    def _receive(self, sent: InFlight) -> None:
        if sent.fate.stored:
            self._publish(self.log(sent.place).append(sent.record, self._timestamp()))
        if not sent.delivery.open:
            return  # The producer has given up.
        if sent.fate.stored and sent.fate.acknowledged:
            sent.delivery.acknowledged = True
        else:
            sent.delivery.error = BrokerError("the connection was lost before an acknowledgement came")

    def _publish(self, record: Record) -> None:
        self.changes += 1
        self.archive.append(record)
        self.appended(record)

    def _count_change(self) -> None:
        self.changes += 1

    def _timestamp(self) -> int:
        return int((self._epoch + self.scheduler.now) * 1000)


class SimulatedReader:
    """Reads topics from positions of its own, without a consumer group."""

    def __init__(self, broker: SimulatedBroker, positions: dict[Place, int]) -> None:
        self._broker = broker
        self._positions = positions

    def poll(self, *, seconds: float) -> list[Record]:
        records: list[Record] = []

        def found() -> bool:
            if not self._broker.down:
                records.extend(self._broker.fetch(self._positions))
            return bool(records)

        self._broker.wait(found, seconds)
        return records

    def close(self) -> None:
        """Does nothing: a reader holds nothing."""


class SimulatedPartitionReader(SimulatedReader):
    """Reads one partition from a time on."""

    def __init__(self, broker: SimulatedBroker, log: Log, since: int) -> None:
        first = next((record.offset for record in log.records if record.timestamp >= since), log.stable)
        super().__init__(broker, {log.place: first})
        self._place, self._end = log.place, log.stable
        self.begins_late = 0 < log.begins == first

    @property
    def partition(self) -> int:
        return self._place[1]

    @property
    def is_at_end(self) -> bool:
        return self._positions[self._place] >= self._end
