"""What the tests of the simulation share: topics, records, and members of a group."""

from collections.abc import Callable, Sequence
from contextlib import closing

from orders_service.events.brokers.port import Delivery, Outgoing, Record
from rig.simulation.broker import SimulatedBroker
from rig.simulation.groups import SimulatedSubscription
from rig.simulation.scheduler import Scheduler

ONE, TWO = "one-partition", "two-partitions"
GROUP = "group"


def numbered(topic: str, *values: int) -> list[Outgoing]:
    """Records with these values. Their keys spread over the partitions."""
    return [Outgoing(topic, str(value).encode(), str(value).encode()) for value in values]


def numbers(records: Sequence[Record]) -> list[int]:
    return [int(record.value or b"-1") for record in records]


def write(broker: SimulatedBroker, topic: str, *values: int) -> list[Delivery]:
    """Send the values, and wait for every outcome."""
    with closing(broker.producer()) as producer:
        deliveries = producer.send(numbered(topic, *values))
        assert producer.wait(deliveries, seconds=60)
    return deliveries


def stored(broker: SimulatedBroker, topic: str = ONE) -> list[int]:
    """The values that a new reader finds in the topic."""
    return numbers(broker.read([topic], from_start=True).poll(seconds=0))


def read(broker: SimulatedBroker, *, skip_gap: bool = False) -> list[int]:
    """The values that a new member of the group reads and acknowledges."""
    with closing(broker.subscribe(GROUP, [ONE], skip_gap=skip_gap)) as member:
        records = member.poll(seconds=0)
        member.acknowledge(records)
    return numbers(records)


def members(broker: SimulatedBroker, count: int) -> list[SimulatedSubscription]:
    """Members of the group that have joined and know of each other. None has read anything."""
    found = [broker.subscribe(GROUP, [TWO]) for _ in range(count)]
    for member in [*found, *found]:
        assert member.poll(seconds=0) == []
    return found


def run(scheduler: Scheduler, *work: Callable[[], object]) -> None:
    """Run each of *work* as a task, until all have ended."""
    for number, one in enumerate(work):
        scheduler.spawn(str(number), one)
    while scheduler.run_one():
        pass
