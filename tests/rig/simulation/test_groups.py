"""What the simulation decides about consumer groups: rebalances, and members that are expelled or killed."""

from contextlib import closing

from rig.simulation.broker import SimulatedBroker
from rig.simulation.scheduler import Scheduler
from tests.rig.simulation.kit import GROUP, ONE, TWO, members, numbers, write


def test_members_share_the_partitions(broker: SimulatedBroker) -> None:
    """On Kafka: test_two_members_share_the_partitions_and_together_see_every_record."""
    one, other = members(broker, 2)
    write(broker, TWO, *range(20))

    first, second = one.poll(seconds=0), other.poll(seconds=0)

    assert {record.partition for record in first} == {0}
    assert {record.partition for record in second} == {1}
    assert sorted(numbers(first + second)) == list(range(20))
    assert broker.describe_group(GROUP, [TWO]).members == 2


def test_a_rebalance_moves_the_partitions_and_ignores_the_stale_member(broker: SimulatedBroker) -> None:
    one, other = members(broker, 2)
    write(broker, TWO, *range(20))
    records, generation = one.poll(seconds=0), one.generation

    broker.rebalance(GROUP)
    one.acknowledge(records)
    again = other.poll(seconds=0)

    assert again == records
    assert broker.describe_group(GROUP, [TWO]).lag == 20
    assert {record.partition for record in one.poll(seconds=0)} == {1}
    assert one.generation != generation


def test_a_member_keeps_its_position_in_the_partitions_that_it_keeps(broker: SimulatedBroker) -> None:
    write(broker, TWO, *range(20))
    one = broker.subscribe(GROUP, [TWO])
    read_by_one = one.poll(seconds=0)

    other = broker.subscribe(GROUP, [TWO])
    moved = other.poll(seconds=0)

    assert one.poll(seconds=0) == []
    assert moved == [record for record in read_by_one if record.partition == 1]


def test_a_partition_that_was_away_for_a_generation_starts_at_its_committed_offset(
    broker: SimulatedBroker,
) -> None:
    one, other = members(broker, 2)
    write(broker, TWO, *range(20))
    one.poll(seconds=0)
    broker.rebalance(GROUP)
    write(broker, TWO, *range(20, 40))
    other.acknowledge(other.poll(seconds=0))

    broker.rebalance(GROUP)

    assert one.poll(seconds=0) == []


def test_an_expelled_member_commits_nothing_and_joins_again(broker: SimulatedBroker) -> None:
    one, other = members(broker, 2)
    write(broker, TWO, *range(20))
    records, generation = one.poll(seconds=0), one.generation

    broker.expel(one)
    one.acknowledge(records)

    assert sorted(numbers(other.poll(seconds=0) + other.poll(seconds=0))) == list(range(20))
    one.poll(seconds=0)
    assert one.generation != generation
    assert broker.describe_group(GROUP, [TWO]).members == 2


def test_a_killed_member_stays_in_the_group_until_it_is_expelled(
    broker: SimulatedBroker, scheduler: Scheduler
) -> None:
    member = broker.subscribe(GROUP, [ONE])

    def consume() -> None:
        with closing(member):
            while True:
                member.poll(seconds=1)

    scheduler.spawn("consumer", consume, owner="process")
    while member.generation is None:
        scheduler.run_one()

    scheduler.kill("process")
    killed = broker.describe_group(GROUP, [ONE]).members
    broker.expel(member)

    assert (killed, broker.describe_group(GROUP, [ONE]).members) == (1, 0)


def test_a_poll_for_nothing_ends_after_its_virtual_seconds(
    broker: SimulatedBroker, scheduler: Scheduler
) -> None:
    """On the other brokers: test_a_poll_for_nothing_ends_after_its_seconds."""
    assert broker.subscribe(GROUP, [ONE]).poll(seconds=0.3) == []

    assert scheduler.now == 0.3


def test_a_poll_returns_as_many_records_as_the_simulation_allows(broker: SimulatedBroker) -> None:
    write(broker, ONE, *range(5))
    broker.max_poll_records = 2
    member = broker.subscribe(GROUP, [ONE])

    assert [numbers(member.poll(seconds=0)) for _ in range(4)] == [[0, 1], [2, 3], [4], []]
