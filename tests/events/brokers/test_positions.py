"""Where a group reads on: what it acknowledged is behind it, and by the rest it lags."""

from contextlib import closing

import kafka

from orders_service.events.brokers.port import Broker, Producer, TopicSpec
from tests.events.brokers.kit import (
    as_kafka_does,
    assert_nothing_more,
    by_place,
    deliver,
    numbered,
    numbers,
    on_kafka,
    take,
    unique,
)


def test_a_record_not_acknowledged_comes_again_after_a_rewind(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    deliver(producer, numbered(topic, 20))

    with closing(broker.subscribe(group, [topic])) as subscription:
        first = take(subscription, 20)
        subscription.rewind(first)
        second = take(subscription, 20)
        subscription.acknowledge(second)

        assert by_place(second) == by_place(first)
        assert_nothing_more(subscription)


def test_a_record_not_acknowledged_comes_again_to_the_next_member(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    deliver(producer, numbered(topic, 20))

    with closing(broker.subscribe(group, [topic])) as subscription:
        take(subscription, 20)
    with closing(broker.subscribe(group, [topic])) as subscription:
        assert numbers(take(subscription, 20)) == list(range(20))


def test_an_acknowledged_record_does_not_come_again(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    deliver(producer, numbered(topic, 20))
    with closing(broker.subscribe(group, [topic])) as subscription:
        subscription.acknowledge(take(subscription, 20))
    deliver(producer, numbered(topic, 5, first=20))

    with closing(broker.subscribe(group, [topic])) as subscription:
        assert numbers(take(subscription, 5)) == list(range(20, 25))
        assert_nothing_more(subscription)


def test_what_was_acknowledged_is_passed_over_in_its_partition_alone(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    deliver(producer, numbered(topic, 30))
    with closing(broker.subscribe(group, [topic])) as subscription:
        records = take(subscription, 30)
        done = [record for record in records if record.partition == 0 and record.offset < 2]
        subscription.acknowledge(done)

    with closing(broker.subscribe(group, [topic])) as subscription:
        assert numbers(take(subscription, 28)) == sorted(set(range(30)) - set(numbers(done)))


def test_a_group_that_never_read_lags_by_everything(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    deliver(producer, numbered(topic, 10))

    found = broker.describe_group(group, [topic])

    assert (found.name, found.lag, found.lost) == (group, 10, 0)
    assert not found.members


def test_a_group_lags_by_what_it_did_not_acknowledge(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    other = unique("other")
    broker.create_topics([other], TopicSpec(partitions=1))
    deliver(producer, numbered(topic, 10))
    deliver(producer, numbered(other, 5))
    with closing(broker.subscribe(group, [topic, other])) as subscription:
        records = take(subscription, 15)
        subscription.acknowledge([record for record in records if record.topic == other])

        lags = [broker.describe_group(group, topics).lag for topics in ([topic], [other], [topic, other])]
        subscription.acknowledge(records)
        after = broker.describe_group(group, [topic, other])

    assert (lags, after.lag) == ([10, 0, 10], 0)


def test_who_asks_about_a_group_takes_nothing_from_it(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    deliver(producer, numbered(topic, 10))
    broker.describe_group(group, [topic])

    with closing(broker.subscribe(group, [topic])) as subscription:
        broker.describe_group(group, [topic])

        assert numbers(take(subscription, 10)) == list(range(10))


@on_kafka
def test_what_the_log_dropped_unread_is_told(
    broker: Broker, producer: Producer, topic: str, group: str, kafka_servers: str
) -> None:
    deliver(producer, numbered(topic, 30))
    with closing(broker.subscribe(group, [topic])) as subscription:
        records = take(subscription, 30)
        subscription.acknowledge([record for record in records if record.offset < 2])
    end = max(record.offset for record in records if record.partition == 0) + 1
    with closing(kafka.KafkaAdminClient(bootstrap_servers=kafka_servers)) as admin:
        admin.delete_records({kafka.TopicPartition(topic, 0): end})

    found = broker.describe_group(group, [topic])

    assert (found.lost, found.lag) == (end - 2, 30 - 4 - end)


@as_kafka_does
def test_acknowledging_after_another_took_over_is_no_error(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    deliver(producer, numbered(topic, 10))
    with closing(broker.subscribe(group, [topic])) as subscription:
        records = take(subscription, 10)
    subscription.rewind(records)
    subscription.acknowledge(records)

    with closing(broker.subscribe(group, [topic])) as subscription:
        assert numbers(take(subscription, 10)) == list(range(10))
