"""What every broker does with the records that a producer sends, told once and asked of each."""

import time
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orders_service import broker_client
from orders_service.contract.wire import Headers
from orders_service.events.brokers.kafka.cluster import KafkaBroker
from orders_service.events.brokers.kafka.producer import KafkaProducer
from orders_service.events.brokers.port import Broker, Outgoing, Producer, TopicMissing, TopicSpec
from orders_service.settings import Settings
from rig import waiting
from tests.events.brokers.kit import (
    KOREAN,
    SECONDS,
    deliver,
    numbered,
    numbers,
    on_kafka,
    send,
    send_as_a_relay_does,
    take,
    unique,
)


def test_records_of_a_key_stay_in_order_and_on_one_partition(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    deliver(producer, numbered(topic, 1000))

    with closing(broker.subscribe(group, [topic])) as subscription:
        records = take(subscription, 1000)
    for key in range(10):
        of_key = [record for record in records if record.key == str(key).encode()]
        assert [int(record.value or b"") for record in of_key] == list(range(key, 1000, 10))
        assert len({record.partition for record in of_key}) == 1
    assert {record.partition for record in records} == {0, 1, 2}


def test_offsets_of_a_partition_rise_and_the_timestamp_is_now(
    broker: Broker, producer: Producer, topic: str
) -> None:
    deliver(producer, numbered(topic, 100))

    with closing(broker.read([topic], from_start=True)) as reader:
        records = take(reader, 100)
    for partition in range(3):
        offsets = [record.offset for record in records if record.partition == partition]
        assert offsets == list(range(len(offsets)))
    assert all(abs(record.timestamp / 1000 - time.time()) < SECONDS for record in records)


def nulls(broker: Broker) -> Headers:
    """A header without a value. Kafka keeps one, but kafka-python sends none: it comes from other clients."""
    return () if isinstance(broker, KafkaBroker) else (("null", None),)


@pytest.mark.parametrize(
    ("key", "value"),
    [(None, b"v"), (b"k", None), (b"", b""), (b"\xff\x00", b"\xfe\xff\x00"), ("제품".encode(), KOREAN)],
    ids=["no key", "no value", "empty", "not UTF-8", "Korean"],
)
def test_key_value_and_headers_arrive_as_they_were_sent(
    broker: Broker, producer: Producer, topic: str, key: bytes | None, value: bytes | None
) -> None:
    headers = (
        ("ce_id", b"1"),
        ("empty", b""),
        *nulls(broker),
        ("", b"no name"),
        ("bytes", b"\xff\x00\xfe"),
        ("제목", KOREAN),
        ("ce_id", b"2"),
    )

    deliver(producer, [Outgoing(topic, key, value, headers)])

    with closing(broker.read([topic], from_start=True)) as reader:
        (record,) = take(reader, 1)
    assert (record.topic, record.key, record.value, record.headers) == (topic, key, value, headers)


def test_any_bytes_arrive_as_they_were_sent(broker: Broker, producer: Producer, topic: str) -> None:
    value = st.none() | st.binary(max_size=50) if nulls(broker) else st.binary(max_size=50)
    headers = st.lists(st.tuples(st.text(max_size=20), value), max_size=3).map(tuple)

    with closing(broker.read([topic], from_start=True)) as reader:

        @settings(max_examples=50, deadline=None)
        @given(key=st.binary(max_size=50), value=st.none() | st.binary(max_size=500), headers=headers)
        def round_trip(key: bytes, value: bytes | None, headers: Headers) -> None:
            deliver(producer, [Outgoing(topic, key, value, headers)])

            (record,) = take(reader, 1)
            assert (record.key, record.value, record.headers) == (key, value, headers)

        round_trip()


def test_nothing_to_send_is_no_delivery(producer: Producer) -> None:
    assert send(producer, []) == []


def test_a_producer_names_a_missing_topic_and_goes_on_when_it_is_created(
    broker: Broker, producer: Producer
) -> None:
    topic = unique("late")

    failed = send(producer, numbered(topic, 10))
    broker.create_topics([topic], TopicSpec(partitions=1))
    deliver(producer, numbered(topic, 10))

    assert {str(delivery.error) for delivery in failed} == {str(TopicMissing(topic))}
    assert not any(delivery.permanent for delivery in failed)


def test_a_missing_topic_costs_a_producer_seconds_and_no_other_topic_its_records(
    broker: Broker, producer: Producer, topic: str
) -> None:
    deliver(producer, numbered(topic, 1))
    began = time.monotonic()

    send(producer, numbered(unique("missing"), 500))
    took = time.monotonic() - began
    deliver(producer, numbered(topic, 10))

    assert took < waiting.seconds(2)


def test_a_topic_that_is_still_missing_holds_up_nobody(
    broker: Broker, producer: Producer, topic: str
) -> None:
    missing = unique("missing")
    send(producer, numbered(missing, 1))

    waiting = producer.send(numbered(missing, 500))
    producer.wait(waiting, seconds=0)
    deliver(producer, numbered(topic, 10))
    while not producer.wait(waiting, seconds=1):
        pass
    broker.create_topics([missing], TopicSpec(partitions=1))
    deliver(producer, numbered(missing, 10))

    assert {str(delivery.error) for delivery in waiting} == {str(TopicMissing(missing))}
    assert not any(delivery.permanent for delivery in waiting)


def test_a_record_that_is_too_large_is_refused_for_good_and_the_next_is_served(
    broker: Broker, producer: Producer, topic: str
) -> None:
    (refused,) = send(producer, [Outgoing(topic, b"k", b"x" * 2_000_000)])
    deliver(producer, numbered(topic, 10))

    assert refused.error
    assert refused.permanent


def test_a_record_too_large_for_its_topic_takes_no_other_with_it(broker: Broker, producer: Producer) -> None:
    topic = unique("small")
    broker.create_topics([topic], TopicSpec(partitions=3, max_message_bytes=10_000))
    records = numbered(topic, 60)
    for n in (7, 23, 24):
        records[n] = Outgoing(topic, b"k", b"x" * 20_000)

    outcomes = send_as_a_relay_does(producer, records)

    assert [n for n, outcome in enumerate(outcomes) if outcome.permanent] == [7, 23, 24]
    with closing(broker.read([topic], from_start=True)) as reader:
        assert set(numbers(take(reader, 57))) == set(range(60)) - {7, 23, 24}


def test_a_record_of_the_largest_size_arrives(broker: Broker, producer: Producer, topic: str) -> None:
    value = b"x" * (TopicSpec.max_message_bytes - 200)

    deliver(producer, [Outgoing(topic, b"k", value, (("ce_id", b"1"),))])

    with closing(broker.read([topic], from_start=True)) as reader:
        (record,) = take(reader, 1)
    assert record.value == value


@pytest.mark.real
def test_a_topic_that_takes_more_is_sent_more(kafka_servers: str) -> None:
    topic, value = unique("large"), b"x" * 36_000_000
    asked = Settings.read(
        {
            "BROKER": "kafka",
            "KAFKA_BOOTSTRAP_SERVERS": kafka_servers,
            "TOPIC_MAX_MESSAGE_BYTES": str(len(value) + 200),
        }
    )
    large = broker_client.broker(asked)
    large.create_topics([topic], broker_client.topic_spec(asked))

    with closing(large.producer()) as producer:
        deliver(producer, [Outgoing(topic, b"k", value)])

    with closing(large.read([topic], from_start=True)) as reader:
        assert take(reader, 1)[0].value == value


@on_kafka
def test_a_producer_whose_sender_has_ended_goes_on(producer: Producer, topic: str) -> None:
    assert isinstance(producer, KafkaProducer)
    deliver(producer, numbered(topic, 1))
    producer._client._sender.force_close()
    producer._client._sender.join()

    failed = send(producer, numbered(topic, 10))
    deliver(producer, numbered(topic, 10))

    assert not any(delivery.acknowledged or delivery.permanent for delivery in failed)


def test_a_record_of_neither_key_nor_value_is_refused_for_good(
    broker: Broker, producer: Producer, topic: str
) -> None:
    refused, served = send(producer, [Outgoing(topic, None, None), Outgoing(topic, b"k", None)])

    assert refused.permanent
    assert served.acknowledged
