"""How far a member is behind the ends of its partitions, as its metrics show it."""

from contextlib import closing

import pytest

from orders_service.events.brokers.port import Broker, Producer, Subscription
from rig.waiting import await_true
from tests.events.brokers.kit import Member, assert_nothing_more, deliver, numbered, on_kafka, take

on_simulated = pytest.mark.parametrize("broker", ["simulated"], indirect=True)


def total(subscription: Subscription) -> int:
    return sum(subscription.lag().values())


def test_a_subscription_without_partitions_has_no_lag(broker: Broker, topic: str, group: str) -> None:
    with closing(broker.subscribe(group, [topic])) as subscription:
        assert subscription.lag() == {}


def test_a_member_that_has_read_everything_lags_by_nothing(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    deliver(producer, numbered(topic, 20))

    with closing(broker.subscribe(group, [topic])) as subscription:
        subscription.acknowledge(take(subscription, 20))
        assert_nothing_more(subscription)

        assert subscription.lag() == {(topic, partition): 0 for partition in range(3)}


def test_a_member_of_an_empty_topic_lags_by_nothing(broker: Broker, topic: str, group: str) -> None:
    with closing(broker.subscribe(group, [topic])) as subscription:
        assert_nothing_more(subscription)

        assert subscription.lag() == {(topic, partition): 0 for partition in range(3)}


def test_records_that_a_poll_left_behind_are_the_lag(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    deliver(producer, numbered(topic, 1200))

    with closing(broker.subscribe(group, [topic])) as subscription:
        read = 0
        while read < 1200:
            read += len(subscription.poll(seconds=0.2))

            # An end may be known only after the first fetch of its partition.
            assert len(subscription.lag()) < 3 or total(subscription) == 1200 - read
        assert_nothing_more(subscription)
        assert total(subscription) == 0


def test_the_lag_of_a_member_whose_steps_fail_grows(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    deliver(producer, numbered(topic, 20))
    with closing(broker.subscribe(group, [topic])) as subscription:
        subscription.rewind(take(subscription, 20))
        await_true(lambda: total(subscription) == 20, "the records are unread again")

        deliver(producer, numbered(topic, 30))

        await_true(lambda: total(subscription) == 50, "the new records are known without a fetch")
        subscription.acknowledge(take(subscription, 50))
        assert total(subscription) == 0


@on_kafka
def test_a_partition_that_another_member_takes_has_no_lag_here(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    deliver(producer, numbered(topic, 30))
    with closing(broker.subscribe(group, [topic])) as subscription:
        subscription.acknowledge(take(subscription, 30))
        await_true(
            lambda: subscription.poll(seconds=0.5) == [] and len(subscription.lag()) == 3,
            "the only member has every partition",
        )

        with Member(broker.subscribe(group, [topic])):
            await_true(
                lambda: subscription.poll(seconds=0.5) == [] and 0 < len(subscription.lag()) < 3,
                "the other member has taken some",
            )


@on_simulated
def test_a_simulated_partition_that_another_member_takes_has_no_lag_here(
    broker: Broker, topic: str, group: str
) -> None:
    one, other = broker.subscribe(group, [topic]), broker.subscribe(group, [topic])
    assert_nothing_more(one)
    assert_nothing_more(other)
    assert_nothing_more(one)

    assert one.lag().keys().isdisjoint(other.lag())
    assert len(one.lag()) + len(other.lag()) == 3
