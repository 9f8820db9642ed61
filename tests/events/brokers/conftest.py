"""Each of the three brokers, and on it a topic, a group and a producer of one test alone."""

import gc
import random
import time
import warnings
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from orders_service.events.brokers.embedded import EmbeddedBroker
from orders_service.events.brokers.kafka.cluster import KafkaBroker
from orders_service.events.brokers.port import Broker, Producer, TopicSpec
from rig.simulation.broker import SimulatedBroker
from rig.simulation.scheduler import Scheduler
from tests.events.brokers.kit import unique


@pytest.fixture(params=["embedded", "simulated", pytest.param("kafka", marks=pytest.mark.real)])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Broker:
    """Each of the three."""
    if request.param == "embedded":
        return EmbeddedBroker(tmp_path / "broker.db")
    if request.param == "simulated":
        return SimulatedBroker(Scheduler(random.Random(0)), epoch=time.time())
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
