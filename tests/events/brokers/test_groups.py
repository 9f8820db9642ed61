"""What the members of a group are given by every broker, and how they share it."""

import time
from contextlib import closing

import pytest
from kafka.structs import MemberState

from orders_service.events.brokers.kafka.subscription import KafkaSubscription
from orders_service.events.brokers.port import Broker, GroupTaken, Producer, TopicMissing, TopicSpec
from rig import waiting
from rig.waiting import await_true
from tests.events.brokers.kit import (
    Member,
    assert_nothing_more,
    deliver,
    numbered,
    numbers,
    on_a_real_clock,
    on_embedded,
    on_kafka,
    share,
    take,
    unique,
)


def test_a_subscription_begins_with_the_earliest_record(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    deliver(producer, numbered(topic, 10))

    with closing(broker.subscribe(group, [topic])) as subscription:
        assert numbers(take(subscription, 10)) == list(range(10))


def test_a_subscription_goes_on_with_what_comes_later(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    with closing(broker.subscribe(group, [topic])) as subscription:
        assert_nothing_more(subscription)

        deliver(producer, numbered(topic, 10))

        assert numbers(take(subscription, 10)) == list(range(10))


def test_a_subscription_reads_each_of_its_topics(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    other = unique("other")
    broker.create_topics([other], TopicSpec(partitions=1))
    deliver(producer, numbered(topic, 10))
    deliver(producer, numbered(other, 10, first=10))

    with closing(broker.subscribe(group, [topic, other])) as subscription:
        assert numbers(take(subscription, 20)) == list(range(20))


def test_two_groups_each_see_every_record(broker: Broker, producer: Producer, topic: str, group: str) -> None:
    deliver(producer, numbered(topic, 10))

    with (
        closing(broker.subscribe(group, [topic])) as one,
        closing(broker.subscribe(unique("group"), [topic])) as other,
    ):
        one.acknowledge(take(one, 10))

        assert numbers(take(other, 10)) == list(range(10))


def test_a_member_that_leaves_is_followed_at_once(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    first = broker.subscribe(group, [topic])
    assert_nothing_more(first)
    first.close()
    deliver(producer, numbered(topic, 10))
    began = time.monotonic()

    with closing(broker.subscribe(group, [topic])) as second:
        assert numbers(take(second, 10)) == list(range(10))

    assert time.monotonic() - began < waiting.seconds(5)


@on_a_real_clock
def test_a_poll_for_nothing_ends_after_its_seconds(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    deliver(producer, numbered(topic, 1))
    with closing(broker.subscribe(group, [topic])) as subscription:
        take(subscription, 1)
        began = time.monotonic()

        assert subscription.poll(seconds=0.3) == []

        assert 0.25 < time.monotonic() - began < waiting.seconds(1)


def test_a_subscription_names_a_missing_topic_and_goes_on_when_it_is_created(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    late = unique("late")
    with closing(broker.subscribe(group, [topic, late])) as subscription:
        with pytest.raises(TopicMissing, match=late):
            subscription.poll(seconds=0.2)
        broker.create_topics([late], TopicSpec(partitions=1))
        deliver(producer, numbered(late, 10))

        assert numbers(take(subscription, 10)) == list(range(10))


def test_a_group_is_not_told_of_a_topic_that_is_missing(broker: Broker, topic: str, group: str) -> None:
    missing = unique("missing")

    with pytest.raises(TopicMissing, match=missing):
        broker.describe_group(group, [topic, missing])


@on_kafka
def test_a_group_is_told_with_its_members(broker: Broker, topic: str, group: str) -> None:
    with Member(broker.subscribe(group, [topic])):
        await_true(lambda: broker.describe_group(group, [topic]).members == 1, "the member is told")

    assert broker.describe_group(group, [topic]).members == 0


@on_embedded
def test_a_second_consumer_of_an_embedded_group_is_refused(broker: Broker, topic: str, group: str) -> None:
    with closing(broker.subscribe(group, [topic])), pytest.raises(GroupTaken, match=group):
        broker.subscribe(group, [topic])

    broker.subscribe(group, [topic]).close()


@on_kafka
def test_two_members_share_the_partitions_and_together_see_every_record(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    with Member(broker.subscribe(group, [topic])) as one, Member(broker.subscribe(group, [topic])) as other:
        sent = share(one, other, producer, topic)
        deliver(producer, numbered(topic, 300, first=sent))

        await_true(lambda: one.seen | other.seen == set(range(sent + 300)), "every record was seen")


@on_kafka
def test_a_member_takes_over_from_one_that_leaves(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    with Member(broker.subscribe(group, [topic])) as stays:
        with Member(broker.subscribe(group, [topic])) as leaves:
            sent = share(stays, leaves, producer, topic)
        deliver(producer, numbered(topic, 100, first=sent))

        await_true(
            lambda: stays.seen >= set(range(sent, sent + 100)),
            "the other has them all, long before a session ends",
            seconds=8,
        )


@on_kafka
def test_a_join_that_the_library_forgot_is_begun_again(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    """So kafka-python is left by a leader that joins for new metadata, if that ends between two polls."""
    with closing(broker.subscribe(group, [topic])) as member:
        assert isinstance(member, KafkaSubscription)
        deliver(producer, numbered(topic, 10))
        assert numbers(take(member, 10)) == list(range(10))
        library = member._consumer._coordinator
        await_true(lambda: member.poll(seconds=1) == [] and not library.need_rejoin(), "it has settled")

        library.state = MemberState.REBALANCING
        library.rejoining = True
        library._disable_heartbeat()

        await_true(
            lambda: member.poll(seconds=0.1) == [] and library.state == MemberState.STABLE,
            "it is in its group again, long before a session ends",
            seconds=8,
        )
        assert library._heartbeat_enabled
