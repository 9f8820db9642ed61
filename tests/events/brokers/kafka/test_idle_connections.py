"""Brokers end connections on which nothing happens. That is no error, and costs no record."""

import logging
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from lab import Lab, Ports
from lab.broker import Broker
from orders_service.events.brokers.kafka.cluster import KafkaBroker
from orders_service.events.brokers.port import Outgoing, TopicSpec
from orders_service.logs import LostConnections

pytestmark = pytest.mark.real

IDLE_SECONDS = 1.0
SECONDS = 60.0


@pytest.fixture
def impatient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A Kafka of this test alone that ends idle connections soon."""
    usual = Broker._properties
    more = f"connections.max.idle.ms={IDLE_SECONDS * 1000:.0f}\n"
    monkeypatch.setattr(Broker, "_properties", lambda self, data: usual(self, data) + more)
    lab = Lab(tmp_path, Ports.free(), connect=False)
    lab.start(lab.kafka.brokers)
    yield lab.kafka.bootstrap
    lab.down()


def test_a_connection_that_the_broker_ended_is_no_error(
    impatient: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="orders_service")
    caplog.handler.addFilter(LostConnections())
    broker = KafkaBroker(impatient)
    broker.create_topics(["topic"], TopicSpec(partitions=1))
    received = 0
    deadline = time.monotonic() + SECONDS
    with closing(broker.producer()) as producer, closing(broker.subscribe("group", ["topic"])) as member:
        lost = [record for record in caplog.records if "Connection lost" in record.getMessage()]
        while received < 3 or not lost:
            assert time.monotonic() < deadline, f"{received} records, {len(lost)} connections lost"
            deliveries = producer.send([Outgoing("topic", b"k", b"v")])
            assert producer.wait(deliveries, seconds=SECONDS)
            assert [delivery.error for delivery in deliveries] == [None]
            until = time.monotonic() + 3 * IDLE_SECONDS
            while time.monotonic() < until:
                records = member.poll(seconds=1)
                member.acknowledge(records)
                received += len(records)
            lost = [record for record in caplog.records if "Connection lost" in record.getMessage()]

    errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert errors == []
