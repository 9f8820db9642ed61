"""The lag in a partition whose end no fetch tells."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from kafka import TopicPartition

from orders_service.events.brokers.kafka import lag
from orders_service.events.brokers.kafka.subscription import KafkaSubscription
from orders_service.events.brokers.port import Broker, Outgoing, Producer
from rig.waiting import await_true
from tests.events.brokers.kit import assert_nothing_more, deliver, numbered, on_kafka, take

GIVEN_BACK = 1

pytestmark = on_kafka


@pytest.fixture
def member(
    broker: Broker, producer: Producer, topic: str, group: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[KafkaSubscription]:
    """A member that has read 30 records, and one partition of which was given back between two fetches."""
    monkeypatch.setattr(lag, "UNKNOWN_SECONDS", 0.5)
    monkeypatch.setattr(lag, "REQUEST_EVERY_SECONDS", 3600)
    deliver(producer, numbered(topic, 30))
    with closing(broker.subscribe(group, [topic])) as found:
        assert isinstance(found, KafkaSubscription)
        found.acknowledge(take(found, 30))
        assert_nothing_more(found)
        assert len(found.lag()) == 3
        # The library makes a new state for a partition that is assigned again.
        found._consumer._subscription.assignment[TopicPartition(topic, GIVEN_BACK)].highwater = None
        await_true(lambda: found.poll(seconds=0.2) == [] and len(found.lag()) == 3, "every end is known")
        yield found


def end_told_by_fetches(member: KafkaSubscription, topic: str) -> int | None:
    end: int | None = member._consumer.highwater(TopicPartition(topic, GIVEN_BACK))
    return end


def test_the_end_is_requested_which_fetches_do_not_tell(member: KafkaSubscription, topic: str) -> None:
    assert end_told_by_fetches(member, topic) is None
    assert member.lag() == {(topic, partition): 0 for partition in range(3)}


def test_what_is_read_from_other_partitions_changes_nothing(
    member: KafkaSubscription, producer: Producer, topic: str
) -> None:
    for number in range(20):
        deliver(producer, [Outgoing(topic, b"the same key", b"%d" % number)])
        member.acknowledge(take(member, 1))

    assert len(member.lag()) == 3


def test_a_fetch_that_tells_the_end_takes_the_place_of_what_was_requested(
    member: KafkaSubscription, producer: Producer, topic: str
) -> None:
    deliver(producer, numbered(topic, 30))
    member.acknowledge(take(member, 30))

    await_true(
        lambda: member.poll(seconds=0.2) == [] and end_told_by_fetches(member, topic) is not None,
        "a fetch told it",
    )
    assert member.lag() == {(topic, partition): 0 for partition in range(3)}
