"""A simulated broker with two topics, and its scheduler."""

import random

import pytest

from orders_service.events.brokers.port import TopicSpec
from rig.simulation.broker import SimulatedBroker
from rig.simulation.scheduler import Scheduler
from tests.rig.simulation.kit import ONE, TWO


@pytest.fixture
def scheduler() -> Scheduler:
    return Scheduler(random.Random(0))


@pytest.fixture
def broker(scheduler: Scheduler) -> SimulatedBroker:
    broker = SimulatedBroker(scheduler)
    broker.create_topics([ONE], TopicSpec(partitions=1))
    broker.create_topics([TWO], TopicSpec(partitions=2))
    return broker
