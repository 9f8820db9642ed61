"""What every broker does, told once and asked of each."""

import gc
import signal
import socket
import threading
import time
import uuid
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import kafka
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kafka.structs import MemberState

from lab import Lab
from orders_service import broker_client
from orders_service.contract.wire import Headers
from orders_service.events.brokers.embedded import EmbeddedBroker
from orders_service.events.brokers.kafka.cluster import KafkaBroker
from orders_service.events.brokers.kafka.producer import KafkaProducer
from orders_service.events.brokers.kafka.subscription import KafkaSubscription
from orders_service.events.brokers.port import (
    Broker,
    BrokerError,
    Delivery,
    GroupTaken,
    Outgoing,
    Producer,
    Reader,
    Record,
    Subscription,
    TopicMissing,
    TopicSpec,
)
from orders_service.settings import Settings
from rig import waiting
from rig.waiting import await_true

SECONDS = 30.0  # Within these everything must have happened.
KOREAN = "주문이 접수되었습니다".encode()

on_kafka = pytest.mark.parametrize("broker", [pytest.param("kafka", marks=pytest.mark.real)], indirect=True)
kafka_goes_away = pytest.mark.usefixtures("unclosed_sockets")
on_embedded = pytest.mark.parametrize("broker", ["embedded"], indirect=True)


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.real)])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Broker:
    """Each of the two."""
    if request.param == "embedded":
        return EmbeddedBroker(tmp_path / "broker.db")
    return KafkaBroker(request.getfixturevalue("kafka_servers"))


@pytest.fixture
def unclosed_sockets() -> Iterator[None]:
    """Take up those that kafka-python drops when it finds nobody to connect to; Python would warn later."""
    yield
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture
def topic(broker: Broker) -> str:
    """A topic of three partitions, of this test alone."""
    name = unique("topic")
    broker.create_topics([name], TopicSpec(partitions=3))
    return name


@pytest.fixture
def group() -> str:
    return unique("group")


@pytest.fixture
def producer(broker: Broker) -> Iterator[Producer]:
    with closing(broker.producer()) as found:
        yield found


def unique(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex}"


def numbered(topic: str, count: int, *, first: int = 0) -> list[Outgoing]:
    """Records with values 0, 1, 2, … and keys that spread over the partitions."""
    return [Outgoing(topic, str(n % 10).encode(), str(n).encode()) for n in range(first, first + count)]


def numbers(records: Sequence[Record]) -> list[int]:
    return sorted(int(record.value or b"-1") for record in records)


def send(producer: Producer, records: Sequence[Outgoing]) -> list[Delivery]:
    """Send, and wait for every outcome."""
    deliveries = producer.send(records)
    assert producer.wait(deliveries, seconds=waiting.seconds(SECONDS))
    return deliveries


def deliver(producer: Producer, records: Sequence[Outgoing]) -> None:
    """Send, and see that all have arrived."""
    assert [delivery.error for delivery in send(producer, records)] == [None] * len(records)


def send_as_a_relay_does(producer: Producer, records: Sequence[Outgoing]) -> list[Delivery]:
    """Send until each record is acknowledged or refused for good; the last outcome of each."""
    outcomes: dict[int, Delivery] = {}
    deadline = waiting.Deadline(SECONDS)
    while rest := [n for n in range(len(records)) if n not in outcomes]:
        assert not deadline.over, f"{len(rest)} records are still open"
        for n, delivery in zip(rest, send(producer, [records[n] for n in rest]), strict=True):
            if delivery.acknowledged or delivery.for_good:
                outcomes[n] = delivery
    return [outcomes[n] for n in range(len(records))]


def take(source: Subscription | Reader, count: int) -> list[Record]:
    """The next *count* records, and no more."""
    records: list[Record] = []
    deadline = waiting.Deadline(SECONDS)
    while len(records) < count:
        assert not deadline.over, f"only {len(records)} of {count} records have come"
        records += source.poll(seconds=0.2)
    assert len(records) == count
    return records


class Member(threading.Thread):
    """A member of a group that polls all the time, as a worker does, and lives with the broker's errors."""

    def __init__(self, subscription: Subscription) -> None:
        super().__init__(daemon=True)
        self.seen: set[int] = set()
        self._subscription = subscription
        self._stopped = threading.Event()

    def __enter__(self) -> "Member":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.join()
        self._subscription.close()

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                records = self._subscription.poll(seconds=1)
            except BrokerError:
                self._stopped.wait(0.1)
                continue
            self._subscription.acknowledge(records)
            self.seen |= set(numbers(records))


def share(one: Member, other: Member, producer: Producer, topic: str) -> int:
    """Send until each of two members gets something, and both together everything; how much that was."""
    sent = 0

    def both_have_a_part() -> bool:
        nonlocal sent
        if not (one.seen and other.seen):
            deliver(producer, numbered(topic, 30, first=sent))
            sent += 30
        return bool(one.seen and other.seen) and one.seen | other.seen == set(range(sent))

    await_true(both_have_a_part, "two members share the topic")
    return sent


def by_place(records: Sequence[Record]) -> dict[int, list[int]]:
    """The offsets of each partition, in the order in which they came."""
    found: dict[int, list[int]] = {}
    for record in records:
        found.setdefault(record.partition, []).append(record.offset)
    return found


def assert_nothing_more(source: Subscription | Reader) -> None:
    assert source.poll(seconds=0.5) == []


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


def test_a_poll_for_nothing_ends_after_its_seconds(
    broker: Broker, producer: Producer, topic: str, group: str
) -> None:
    deliver(producer, numbered(topic, 1))
    with closing(broker.subscribe(group, [topic])) as subscription:
        take(subscription, 1)
        began = time.monotonic()

        assert subscription.poll(seconds=0.3) == []

        assert 0.25 < time.monotonic() - began < waiting.seconds(1)


def test_a_producer_names_a_missing_topic_and_goes_on_when_it_is_created(
    broker: Broker, producer: Producer
) -> None:
    topic = unique("late")

    failed = send(producer, numbered(topic, 10))
    broker.create_topics([topic], TopicSpec(partitions=1))
    deliver(producer, numbered(topic, 10))

    assert {str(delivery.error) for delivery in failed} == {str(TopicMissing(topic))}
    assert not any(delivery.for_good for delivery in failed)


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
    assert not any(delivery.for_good for delivery in waiting)


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


def test_a_reader_names_a_missing_topic(broker: Broker, topic: str) -> None:
    missing = unique("missing")

    with pytest.raises(TopicMissing, match=missing):
        broker.read([topic, missing], from_start=True)


def test_a_record_that_is_too_large_is_refused_for_good_and_the_next_is_served(
    broker: Broker, producer: Producer, topic: str
) -> None:
    (refused,) = send(producer, [Outgoing(topic, b"k", b"x" * 2_000_000)])
    deliver(producer, numbered(topic, 10))

    assert refused.error
    assert refused.for_good


def test_a_record_too_large_for_its_topic_takes_no_other_with_it(broker: Broker, producer: Producer) -> None:
    topic = unique("small")
    broker.create_topics([topic], TopicSpec(partitions=3, max_message_bytes=10_000))
    records = numbered(topic, 60)
    for n in (7, 23, 24):
        records[n] = Outgoing(topic, b"k", b"x" * 20_000)

    outcomes = send_as_a_relay_does(producer, records)

    assert [n for n, outcome in enumerate(outcomes) if outcome.for_good] == [7, 23, 24]
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

    assert not any(delivery.acknowledged or delivery.for_good for delivery in failed)


def test_a_record_of_neither_key_nor_value_is_refused_for_good(
    broker: Broker, producer: Producer, topic: str
) -> None:
    refused, served = send(producer, [Outgoing(topic, None, None), Outgoing(topic, b"k", None)])

    assert refused.for_good
    assert served.acknowledged


def test_topics_are_created_once(broker: Broker, topic: str) -> None:
    new = unique("new")

    assert broker.create_topics([topic, new], TopicSpec(partitions=5)) == [new]
    assert broker.create_topics([topic, new], TopicSpec(partitions=9)) == []

    partitions = {found.name: found.partitions for found in broker.describe_topics()}
    assert (partitions[topic], partitions[new]) == (3, 5)


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


def test_a_group_is_not_told_of_a_topic_that_is_missing(broker: Broker, topic: str, group: str) -> None:
    missing = unique("missing")

    with pytest.raises(TopicMissing, match=missing):
        broker.describe_group(group, [topic, missing])


@on_kafka
def test_a_group_is_told_with_its_members(broker: Broker, topic: str, group: str) -> None:
    with Member(broker.subscribe(group, [topic])):
        await_true(lambda: broker.describe_group(group, [topic]).members == 1, "the member is told")

    assert broker.describe_group(group, [topic]).members == 0


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


@on_embedded
def test_a_partition_with_a_backlog_does_not_delay_the_others(broker: Broker, topic: str) -> None:
    with closing(broker.producer()) as producer:
        producer.send([Outgoing(topic, str(key).encode(), b"x", ()) for key in range(50) for _ in range(100)])

    with closing(broker.read([topic], from_start=True)) as reader:
        found = [record for _ in range(3) for record in reader.poll(seconds=0)]

    assert {record.partition for record in found} == {0, 1, 2}


@on_embedded
def test_a_second_consumer_of_an_embedded_group_is_refused(broker: Broker, topic: str, group: str) -> None:
    with closing(broker.subscribe(group, [topic])), pytest.raises(GroupTaken, match=group):
        broker.subscribe(group, [topic])

    broker.subscribe(group, [topic]).close()


@on_kafka
def test_topics_are_created_as_they_are_asked_for(broker: Broker) -> None:
    topic = unique("spec")
    spec = TopicSpec(partitions=4, retention_days=3, max_message_bytes=50_000)

    broker.create_topics([topic], spec)

    (found,) = [one for one in broker.describe_topics() if one.name == topic]
    assert (found.partitions, found.replication, found.in_sync) == (4, 1, 1)
    assert found.settings.items() >= {
        ("cleanup.policy", "delete"),
        ("compression.type", "uncompressed"),
        ("max.message.bytes", "50000"),
        ("message.timestamp.type", "LogAppendTime"),
        ("min.insync.replicas", "1"),
        ("retention.bytes", "-1"),
        ("retention.ms", "259200000"),
        ("unclean.leader.election.enable", "false"),
    }


@on_kafka
def test_more_copies_than_there_are_brokers_are_refused_with_the_reason(broker: Broker) -> None:
    with pytest.raises(BrokerError, match=r"topic copies-.* replication factor"):
        broker.create_topics([unique("copies")], TopicSpec(replication=3))


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


@on_kafka
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


@on_kafka
@kafka_goes_away
def test_producer_and_member_go_on_when_the_broker_comes_back(
    broker: Broker, producer: Producer, topic: str, group: str, lab: Lab
) -> None:
    with Member(broker.subscribe(group, [topic])) as member:
        deliver(producer, numbered(topic, 10))
        await_true(lambda: member.seen == set(range(10)), "the first records were seen")
        lab.kafka.stop()
        try:
            first = send(producer, numbered(topic, 10, first=10))
            began = time.monotonic()
            second = send(producer, numbered(topic, 10, first=10))
            took = time.monotonic() - began
        finally:
            lab.kafka.start()
        send_as_a_relay_does(producer, numbered(topic, 10, first=10))

        await_true(lambda: member.seen == set(range(20)), "the later records were seen")

    assert not any(delivery.acknowledged or delivery.for_good for delivery in first + second)
    assert took < waiting.seconds(2)


@on_kafka
@kafka_goes_away
def test_every_delivery_ends_and_close_is_soon_over_while_the_broker_hangs(
    broker: Broker, producer: Producer, topic: str, group: str, lab: Lab
) -> None:
    subscription = broker.subscribe(group, [topic])
    deliver(producer, numbered(topic, 10))
    take(subscription, 10)
    (server,) = lab.kafka.brokers
    server.signal(signal.SIGSTOP)
    try:
        deliveries = producer.send(numbered(topic, 10, first=10))
        began = time.monotonic()
        soon = producer.wait(deliveries, seconds=0.5)
        bounded = time.monotonic() - began
        ended = producer.wait(deliveries, seconds=waiting.seconds(15))
        producer.send(numbered(topic, 10, first=10))
        began = time.monotonic()
        producer.close()
        subscription.close()
        closed = time.monotonic() - began
    finally:
        server.signal(signal.SIGCONT)
    deliver(producer, numbered(topic, 10, first=10))

    assert (soon, ended) == (False, True)
    assert bounded < waiting.seconds(1)
    assert closed < waiting.seconds(8)
    assert not any(delivery.acknowledged or delivery.for_good for delivery in deliveries)


@pytest.fixture(params=["nobody listens", "nobody answers"])
def absent(request: pytest.FixtureRequest) -> Iterator[KafkaBroker]:
    """A Kafka that is not there, in two ways."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        if request.param == "nobody listens":
            server.close()
        yield KafkaBroker(f"127.0.0.1:{port}")


@kafka_goes_away
def test_without_kafka_everything_can_be_made_and_nothing_works(absent: KafkaBroker) -> None:
    before = threading.active_count()

    producer = absent.producer()
    subscription = absent.subscribe("group", ["topic"])

    assert [delivery.for_good for delivery in send(producer, numbered("topic", 500))] == [False] * 500
    with pytest.raises(BrokerError):
        subscription.poll(seconds=0.1)
    with pytest.raises(BrokerError):
        absent.read(["topic"], from_start=True)
    with pytest.raises(BrokerError):
        absent.create_topics(["topic"], TopicSpec())
    with pytest.raises(BrokerError):
        absent.describe_topics()
    with pytest.raises(BrokerError):
        absent.describe_group("group", ["topic"])
    subscription.acknowledge([])
    subscription.rewind([])
    subscription.close()
    producer.close()
    await_true(lambda: threading.active_count() <= before, "all threads have ended")


@on_kafka
def test_nothing_of_a_closed_client_stays(broker: Broker, topic: str, group: str) -> None:
    before = threading.active_count()

    with closing(broker.producer()) as producer:
        deliver(producer, numbered(topic, 10))
        send(producer, numbered(unique("missing"), 1))
    with closing(broker.subscribe(group, [topic])) as subscription:
        take(subscription, 10)
    with closing(broker.subscribe(group, [unique("missing")])) as subscription, pytest.raises(TopicMissing):
        subscription.poll(seconds=0.1)
    with closing(broker.read([topic], from_start=True)) as reader:
        take(reader, 10)
    broker.describe_topics()

    await_true(lambda: threading.active_count() <= before, "all threads have ended")
