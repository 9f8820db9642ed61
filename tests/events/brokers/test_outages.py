"""Kafka stops, hangs or is not there: everything ends in time, goes on after it, and leaves nothing."""

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from lab import Lab
from orders_service.events.brokers.kafka.cluster import KafkaBroker
from orders_service.events.brokers.port import Broker, BrokerError, Producer, TopicMissing, TopicSpec
from rig import waiting
from rig.waiting import await_true
from tests.events.brokers.kit import (
    Member,
    deliver,
    kafka_goes_away,
    numbered,
    on_kafka,
    send,
    send_as_a_relay_does,
    take,
    unique,
)


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

    assert not any(delivery.acknowledged or delivery.permanent for delivery in first + second)
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
    assert not any(delivery.acknowledged or delivery.permanent for delivery in deliveries)


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

    assert [delivery.permanent for delivery in send(producer, numbered("topic", 500))] == [False] * 500
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
