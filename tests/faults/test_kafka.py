"""Kafka is killed, paused, its answers are lost; of three brokers each goes, one comes back empty."""

import random
import shutil
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import kafka
import pytest

from lab import Lab, Ports
from tests.deployment import assert_orders_and_reservations_agree, databases_in, deployed
from tests.faults.conftest import REPORT, SEED
from tests.faults.proxy import Proxy
from tests.faults.stage import Stage
from tests.faults.test_killed import RELAYS
from tests.patience import await_true

pytestmark = [pytest.mark.real, pytest.mark.faults]

ORDERS = 1000
MUTE_SECONDS = 12  # Longer than a relay waits for an acknowledgement.


def test_the_broker_is_killed(stage: Stage) -> None:
    with stage.ordering() as customers:
        stage.lab.kafka.kill()
        stage.await_accepted(customers, 200)
        stage.lab.kafka.start()
        stage.await_accepted(customers, 20)

    stage.settle()


def test_the_broker_pauses_for_longer_than_a_request_may_last(stage: Stage) -> None:
    (broker,) = stage.lab.kafka.brokers
    with stage.ordering() as customers:
        broker.signal(signal.SIGSTOP)
        stage.await_accepted(customers, 480)
        broker.signal(signal.SIGCONT)
        stage.await_accepted(customers, 20)

    stage.settle()


def test_acknowledgements_are_lost(stage: Stage, acknowledgements: Proxy) -> None:
    again = stage.again
    stage.restart(*RELAYS, KAFKA_BOOTSTRAP_SERVERS=f"127.0.0.1:{acknowledgements.port}")

    with stage.ordering() as customers:
        stage.await_answer(seconds=30)
        with acknowledgements.mute():
            time.sleep(MUTE_SECONDS)
        stage.await_accepted(customers, 20)

    stage.settle()
    assert stage.again > again


def test_the_brokers_data_is_wiped_and_sent_again(stage: Stage) -> None:
    (broker,) = stage.lab.kafka.brokers
    with stage.ordering() as customers:
        broker.wipe()
        stage.await_accepted(customers, 40)
        broker.start()
        stage.deployment.run("topics", "create")
        for database in ("orders", "catalog"):
            stage.deployment.run("outbox", "requeue", "--database", database, "--since", "2020-01-01")
        stage.await_accepted(customers, 20)

    # Who gets the last pieces was decided by a log that is gone, and the new one has another order.
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
        stage.open()
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
            stage.await_accepted(customers, 40)

    stage.settle()


def lose_records(data: Path) -> None:
    """Remove every topic's partitions. What it knows as a controller stays, as on a disk of its own."""
    for found in data.iterdir():
        if found.is_dir() and not found.name.startswith("__cluster_metadata"):
            shutil.rmtree(found)
        elif found.name.endswith("-checkpoint"):
            found.unlink()


def test_a_broker_killed_among_1000_orders_loses_none_and_catches_up(three: Lab, tmp_path: Path) -> None:
    accepted: list[str] = []
    victim = three.kafka.brokers[1]
    with databases_in(three) as databases, deployed(three, databases, tmp_path) as deployment:

        def customer(number: int) -> None:
            product = f"CATALOG-00{1 + number % 3}"
            accepted.append(deployment.place("kim", product, 1 + number % 2)["orderId"])

        with ThreadPoolExecutor(8) as pool:
            customers = pool.map(customer, range(ORDERS))
            await_true(lambda: len(accepted) >= ORDERS // 4, "a quarter is accepted")
            victim.kill()
        list(customers)

        orders = deployment.await_answers("kim", seconds=60)
        victim.start()

        topics = [deployment.settings.catalog_topic, deployment.settings.stock_topic]
        await_true(lambda: in_sync(three, topics) == {3}, "the broker has caught up", seconds=60)
        assert len(accepted) == ORDERS
        assert sorted(accepted) == sorted(order["orderId"] for order in orders)
        assert_orders_and_reservations_agree(orders, databases)


def in_sync(lab: Lab, topics: list[str]) -> set[int]:
    """How many brokers have all of a partition's records, over all partitions."""
    admin = kafka.KafkaAdminClient(bootstrap_servers=lab.kafka.bootstrap)
    try:
        found = admin.describe_topics(topics)
    finally:
        admin.close()
    return {len(partition["isr_nodes"]) for topic in found for partition in topic["partitions"]}
