"""Kafka is killed, is paused, loses answers; three brokers are killed in turn, and one comes back empty."""

import random
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import kafka
import pytest

from lab import Lab, Ports
from rig.customers import Customers
from rig.databases import databases_in
from rig.deployment import deployed
from rig.history import await_promises, until_answered
from rig.waiting import await_true
from tests.faults.conftest import REPORT, SEED
from tests.faults.proxy import Proxy
from tests.faults.stage import Stage
from tests.faults.test_killed import RELAYS

pytestmark = [pytest.mark.real, pytest.mark.faults]

ORDERS = 1000
MUTE_SECONDS = 12  # Longer than a relay waits for an acknowledgement.


def test_the_broker_is_killed(stage: Stage) -> None:
    with stage.ordering() as customers:
        stage.lab.kafka.kill()
        customers.await_accepted(200)
        stage.lab.kafka.start()
        customers.await_accepted(20)

    stage.settle()


def test_the_broker_pauses_for_longer_than_a_request_may_last(stage: Stage) -> None:
    (broker,) = stage.lab.kafka.brokers
    with stage.ordering() as customers:
        broker.signal(signal.SIGSTOP)
        customers.await_accepted(480)
        broker.signal(signal.SIGCONT)
        customers.await_accepted(20)

    stage.settle()


def test_acknowledgements_are_lost(stage: Stage, acknowledgements: Proxy) -> None:
    again = stage.again
    stage.restart(*RELAYS, KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{acknowledgements.port}")

    with stage.ordering() as customers:
        stage.await_answer(seconds=30)
        with acknowledgements.mute():
            time.sleep(MUTE_SECONDS)
        customers.await_accepted(20)

    stage.settle()
    assert stage.again > again


def test_the_brokers_data_is_wiped_and_sent_again(stage: Stage) -> None:
    (broker,) = stage.lab.kafka.brokers
    with stage.ordering() as customers:
        broker.wipe()
        customers.await_accepted(40)
        broker.start()
        stage.deployment.run("topics", "create")
        for database in ("orders", "catalog"):
            stage.deployment.run("outbox", "requeue", "--database", database, "--since", "2020-01-01")
        customers.await_accepted(20)

    # The lost log decided who gets the last pieces, and the new log has another order.
    stage.settle(seconds=150, without={"the_log_decides", "first_deliveries_are_in_order"})
    stage.sound = False


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with three brokers."""
    with Lab(tmp_path_factory.mktemp("three"), Ports.free(), brokers=3) as lab:
        yield lab


@pytest.fixture
def of_three(
    three: Lab, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Stage]:
    """A deployment on a cluster of three."""
    stage = Stage(three, tmp_path_factory.mktemp("stage"), random.Random(f"{SEED} three"))
    try:
        stage.fault = request.node.name
        stage.deployment.open()
        yield stage
    finally:
        request.config.stash[REPORT] += stage.report
        stage.close()


def test_each_of_three_brokers_goes_and_one_comes_back_empty(of_three: Stage) -> None:
    stage = of_three
    with stage.ordering() as customers:
        for broker in stage.lab.kafka.brokers:
            broker.kill()
            stage.await_answer(seconds=60)
            if broker is stage.lab.kafka.brokers[-1]:
                lose_records(broker.data)
            broker.start()
            customers.await_accepted(40)

    stage.settle()


def lose_records(data: Path) -> None:
    """Remove every topic's partitions. Its data as a controller stays, as if it were on another disk."""
    for found in data.iterdir():
        if found.is_dir() and not found.name.startswith("__cluster_metadata"):
            shutil.rmtree(found)
        elif found.name.endswith("-checkpoint"):
            found.unlink()


def test_a_broker_killed_among_1000_orders_loses_none_and_catches_up(three: Lab, tmp_path: Path) -> None:
    products = dict.fromkeys(("CATALOG-001", "CATALOG-002", "CATALOG-003"), 1)
    victim = three.kafka.brokers[1]
    with databases_in(three) as databases, deployed(three, databases, tmp_path) as deployment:
        customers = Customers([deployment.url], products, random.Random(SEED), rate=ORDERS, crowd=8)

        with customers.ordering():
            customers.await_accepted(ORDERS // 4)
            victim.kill()
            customers.await_accepted(ORDERS - customers.accepted)

        await_promises(deployment, customers.told, seconds=60)
        victim.start()
        topics = [deployment.settings.catalog_topic, deployment.settings.stock_topic]
        await_true(lambda: in_sync(three, topics) == {3}, "the broker has caught up", seconds=60)


def in_sync(lab: Lab, topics: list[str]) -> set[int]:
    """The numbers of brokers that have all records of a partition, over all partitions."""
    admin = kafka.KafkaAdminClient(bootstrap_servers=lab.kafka.bootstrap)
    try:
        found = until_answered(lambda: admin.describe_topics(topics))
    finally:
        admin.close()
    return {len(partition["isr_nodes"]) for topic in found for partition in topic["partitions"]}
