"""What the simulation decides about logs: deleted records and topics, gaps, and open transactions."""

from contextlib import closing

import pytest

from orders_service.events.brokers.port import Record
from orders_service.events.errors import EventsGone
from rig.simulation.broker import SimulatedBroker
from tests.rig.simulation.kit import GROUP, ONE, numbered, numbers, read, stored, write


def test_a_group_that_missed_deleted_records_stops(broker: SimulatedBroker) -> None:
    """On Kafka: test_a_group_that_missed_deleted_records_stops_and_says_what_to_do."""
    write(broker, ONE, *range(10))
    read(broker)
    write(broker, ONE, *range(10, 20))

    broker.drop_beginning(ONE, 0, 15)

    assert (broker.describe_group(GROUP, [ONE]).lost, broker.describe_group(GROUP, [ONE]).lag) == (5, 5)
    for _ in range(2):
        with pytest.raises(EventsGone, match="5 records were deleted"):
            read(broker)
    assert numbers(broker.archive) == list(range(20))


def test_told_to_skip_the_gap_a_group_continues_for_good(broker: SimulatedBroker) -> None:
    """On Kafka: test_told_to_skip_the_gap_it_goes_on_for_good."""
    write(broker, ONE, *range(10))
    read(broker)
    write(broker, ONE, *range(10, 20))
    broker.drop_beginning(ONE, 0, 15)

    with closing(broker.subscribe(GROUP, [ONE], skip_gap=True)) as member:
        skipped = numbers(member.poll(seconds=0))

    assert skipped == read(broker) == list(range(15, 20))


def test_a_new_group_begins_where_the_log_does(broker: SimulatedBroker) -> None:
    """On Kafka: a test of the same name."""
    write(broker, ONE, *range(10))
    broker.drop_beginning(ONE, 0, 7)

    assert read(broker) == [7, 8, 9]


def test_a_topic_created_again_is_read_from_its_start(broker: SimulatedBroker) -> None:
    """On Kafka: a test of the same name."""
    write(broker, ONE, *range(30))
    read(broker)

    broker.recreate_topic(ONE)
    write(broker, ONE, *range(100, 200))

    assert broker.describe_group(GROUP, [ONE]).lag == 100
    assert read(broker) == list(range(100, 200))
    assert broker.describe_group(GROUP, [ONE]).lag == 0


def test_a_topic_created_again_behind_the_back_of_a_member_is_read_from_its_start(
    broker: SimulatedBroker,
) -> None:
    """On Kafka: a test of the same name."""
    write(broker, ONE, *range(30))
    member = broker.subscribe(GROUP, [ONE])
    records = member.poll(seconds=0)
    broker.recreate_topic(ONE)
    write(broker, ONE, *range(100, 200))

    member.acknowledge(records)

    assert numbers(member.poll(seconds=0)) == list(range(100, 200))


def test_a_topic_created_again_that_lost_its_first_records_stops_the_group(broker: SimulatedBroker) -> None:
    """On Kafka: a test of the same name."""
    write(broker, ONE, *range(30))
    read(broker)
    broker.recreate_topic(ONE)
    write(broker, ONE, *range(100, 120))
    broker.drop_beginning(ONE, 0, 5)

    with pytest.raises(EventsGone, match="5 records were deleted"):
        read(broker)

    assert read(broker, skip_gap=True) == list(range(105, 120))


def test_a_reader_of_a_topic_created_again_reads_it_from_its_start(broker: SimulatedBroker) -> None:
    write(broker, ONE, *range(30))
    reader = broker.read([ONE], from_start=False)

    broker.recreate_topic(ONE)
    write(broker, ONE, 100)

    assert numbers(reader.poll(seconds=0)) == [100]


def test_a_transaction_ends_with_its_topic(broker: SimulatedBroker) -> None:
    transaction = broker.open_transaction(ONE, 0, numbered(ONE, 1))
    broker.recreate_topic(ONE)

    transaction.commit()

    assert broker.archive == []
    assert stored(broker) == []


def test_an_open_transaction_hides_its_records_and_those_behind_it(broker: SimulatedBroker) -> None:
    """On Kafka: test_an_open_transaction_is_named_and_ends_by_kafkas_tool."""
    write(broker, ONE, 0)
    transaction = broker.open_transaction(ONE, 0, numbered(ONE, 1))
    write(broker, ONE, 2)

    before, lag = read(broker), broker.describe_group(GROUP, [ONE]).lag
    (found,) = broker.open_transactions([ONE])
    transaction.commit()

    assert (before, lag, read(broker)) == ([0], 0, [1, 2])
    assert (found.offset, found.waiting) == (1, 2)
    assert broker.open_transactions([ONE]) == []


def test_records_of_an_aborted_transaction_are_never_read(broker: SimulatedBroker) -> None:
    """On Kafka: a test of the same name."""
    appended: list[Record] = []
    broker.appended = appended.append
    transaction = broker.open_transaction(ONE, 0, numbered(ONE, 100, 101))

    transaction.abort()
    write(broker, ONE, 0)

    assert stored(broker) == [0]
    assert appended == broker.archive
    assert [record.offset for record in appended] == [3]


def test_a_group_passes_over_offsets_that_nobody_receives(broker: SimulatedBroker) -> None:
    """On Kafka: test_a_group_passes_over_what_nobody_is_given."""
    write(broker, ONE, 0)
    read(broker)
    broker.skip_offsets(ONE, 0, 31)

    before = broker.describe_group(GROUP, [ONE]).lag
    read(broker)
    broker.drop_beginning(ONE, 0, 32)
    write(broker, ONE, 1)

    assert (before, broker.describe_group(GROUP, [ONE]).lag) == (31, 1)
    assert read(broker) == [1]


def test_offsets_behind_records_not_acknowledged_are_not_passed_over(broker: SimulatedBroker) -> None:
    """On Kafka: a test of the same name."""
    write(broker, ONE, 0)
    broker.skip_offsets(ONE, 0, 1)
    with closing(broker.subscribe(GROUP, [ONE])) as member:
        member.poll(seconds=0)
        member.poll(seconds=0)

    assert read(broker) == [0]
