"""What a reader without a group sees, on every broker."""

from contextlib import closing

import pytest

from orders_service.events.brokers.port import Broker, Outgoing, Producer, TopicMissing
from tests.events.brokers.kit import (
    assert_nothing_more,
    deliver,
    not_on_kafka,
    numbered,
    numbers,
    take,
    unique,
)


def test_a_reader_names_a_missing_topic(broker: Broker, topic: str) -> None:
    missing = unique("missing")

    with pytest.raises(TopicMissing, match=missing):
        broker.read([topic, missing], from_start=True)


def test_a_reader_from_the_end_sees_what_is_sent_from_then_on(
    broker: Broker, producer: Producer, topic: str
) -> None:
    deliver(producer, numbered(topic, 10))

    with closing(broker.read([topic], from_start=False)) as reader:
        deliver(producer, numbered(topic, 5, first=10))

        assert numbers(take(reader, 5)) == list(range(10, 15))
        assert_nothing_more(reader)


def test_a_reader_from_the_start_sees_everything_and_what_comes(
    broker: Broker, producer: Producer, topic: str
) -> None:
    deliver(producer, numbered(topic, 10))

    with closing(broker.read([topic], from_start=True)) as reader:
        take(reader, 10)
        deliver(producer, numbered(topic, 5, first=10))

        assert numbers(take(reader, 5)) == list(range(10, 15))


def test_a_reader_takes_nothing_from_a_group(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    deliver(producer, numbered(topic, 10))
    with closing(broker.read([topic], from_start=True)) as reader:
        take(reader, 10)

    with closing(broker.subscribe(group, [topic])) as subscription:
        assert numbers(take(subscription, 10)) == list(range(10))


@not_on_kafka
def test_a_partition_with_a_backlog_does_not_delay_the_others(broker: Broker, topic: str) -> None:
    with closing(broker.producer()) as producer:
        producer.send([Outgoing(topic, str(key).encode(), b"x", ()) for key in range(50) for _ in range(100)])

    with closing(broker.read([topic], from_start=True)) as reader:
        found = [record for _ in range(3) for record in reader.poll(seconds=0)]

    assert {record.partition for record in found} == {0, 1, 2}


def test_a_reader_of_one_partition_begins_at_a_time(broker: Broker, producer: Producer, topic: str) -> None:
    deliver(producer, [Outgoing(topic, b"lamp", str(n).encode()) for n in range(5)])
    with closing(broker.read_since(topic, b"lamp", since=0)) as reader:
        first = take(reader, 5)
        assert reader.is_at_end
        assert_nothing_more(reader)  # So that the next record has a later time.
    last = first[-1].timestamp
    deliver(producer, [Outgoing(topic, b"lamp", b"5")])

    with closing(broker.read_since(topic, b"lamp", since=last + 1)) as reader:
        assert not reader.is_at_end
        (found,) = take(reader, 1)
        assert reader.is_at_end
        assert not reader.begins_late

    assert found.value == b"5"
    assert found.partition == reader.partition == first[0].partition


def test_a_reader_from_a_time_after_the_last_record_is_at_the_end(
    broker: Broker, producer: Producer, topic: str
) -> None:
    deliver(producer, [Outgoing(topic, b"lamp", b"0")])

    with closing(broker.read_since(topic, b"lamp", since=2**41)) as reader:
        assert reader.is_at_end
        assert_nothing_more(reader)


def test_a_reader_from_a_time_names_a_missing_topic(broker: Broker) -> None:
    missing = unique("missing")

    with pytest.raises(TopicMissing, match=missing):
        broker.read_since(missing, b"lamp", since=0)
