"""What an observer sees of topics and groups, on every broker."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from orders_service.events.brokers.observer import Observer, PartitionState, lag_of
from orders_service.events.brokers.port import Broker, Outgoing, Producer, TopicMissing
from tests.events.brokers.kit import as_kafka_does, deliver, numbered, on_embedded, take, unique


@pytest.fixture
def observer(broker: Broker) -> Iterator[Observer]:
    with closing(broker.observer()) as found:
        yield found


def lag(observer: Observer, group: str, topic: str) -> int:
    """The lag of *group* in the whole topic."""
    committed = observer.groups({group: [topic]})[group].committed
    states = observer.partitions([topic])
    return sum(lag_of(state, committed.get(place)) for place, state in states.items())


def test_the_offsets_of_each_partition_are_seen(observer: Observer, producer: Producer, topic: str) -> None:
    empty = observer.partitions([topic])
    deliver(producer, numbered(topic, 20))
    full = observer.partitions([topic])

    assert list(empty) == list(full) == [(topic, 0), (topic, 1), (topic, 2)]
    assert {(state.first, state.end) for state in empty.values()} == {(0, 0)}
    assert sum(state.end for state in full.values()) == 20
    assert all((state.first, state.replication, state.in_sync) == (0, 1, 1) for state in full.values())


def test_a_missing_topic_is_named_and_the_observer_goes_on(observer: Observer, topic: str) -> None:
    missing = unique("missing")

    with pytest.raises(TopicMissing, match=missing):
        observer.partitions([topic, missing])
    with pytest.raises(TopicMissing, match=missing):
        observer.newest(missing, 1)

    assert observer.partitions([topic])


def test_the_lag_of_a_group_shrinks_as_it_acknowledges(
    broker: Broker, observer: Observer, producer: Producer, topic: str, group: str
) -> None:
    deliver(producer, numbered(topic, 20))
    before = lag(observer, group, topic)
    with closing(broker.subscribe(group, [topic])) as subscription:
        subscription.acknowledge(take(subscription, 20))

        after = lag(observer, group, topic)

    assert (before, after) == (20, 0)


@as_kafka_does
def test_the_members_of_a_group_are_seen_with_their_partitions(
    broker: Broker, observer: Observer, producer: Producer, topic: str, group: str
) -> None:
    deliver(producer, numbered(topic, 1))
    nobody = observer.groups({group: [topic]})[group].members
    with closing(broker.subscribe(group, [topic])) as subscription:
        take(subscription, 1)

        (member,) = observer.groups({group: [topic]})[group].members or ()

    assert nobody == []
    assert member.name
    assert sorted(member.places) == [(topic, 0), (topic, 1), (topic, 2)]


@on_embedded
def test_the_embedded_log_does_not_know_the_members_of_a_group(
    observer: Observer, topic: str, group: str
) -> None:
    assert observer.groups({group: [topic]})[group].members is None


def test_the_newest_records_are_shown_newest_first(
    broker: Broker, observer: Observer, producer: Producer, topic: str
) -> None:
    deliver(producer, numbered(topic, 30))
    last = Outgoing(topic, b"key", b"30", (("name", b"value"),))
    deliver(producer, [last])

    few, all_ = observer.newest(topic, 5), observer.newest(topic, 100)

    assert len(few) == 5
    assert sorted(int(record.value or b"") for record in all_) == list(range(31))
    assert [record.timestamp for record in all_] == sorted((r.timestamp for r in all_), reverse=True)
    (shown,) = [record for record in all_ if record.value == b"30"]
    assert (shown.key, shown.headers) == (last.key, last.headers)


def test_a_topic_without_records_has_no_newest(observer: Observer, topic: str) -> None:
    assert observer.newest(topic, 5) == []


@pytest.mark.parametrize(("committed", "lag"), [(None, 6), (0, 6), (4, 6), (7, 3), (10, 0), (11, 6)])
def test_an_offset_that_the_log_does_not_have_counts_from_its_beginning(
    committed: int | None, lag: int
) -> None:
    assert lag_of(PartitionState(first=4, end=10), committed) == lag
