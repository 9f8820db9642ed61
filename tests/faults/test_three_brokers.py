"""One of three brokers is killed while orders come in."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import kafka
import pytest

from lab import Lab, Ports
from tests.databases import Databases
from tests.deployment import assert_orders_and_reservations_agree, await_true, deployed

pytestmark = [pytest.mark.real, pytest.mark.faults, pytest.mark.timeout(240)]

ORDERS = 1000


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab of its own, with three brokers."""
    with Lab(tmp_path_factory.mktemp("cluster"), Ports.free(), brokers=3) as found:
        yield found


def test_a_broker_killed_among_1000_orders_loses_none_and_catches_up(
    lab: Lab, databases: Databases, tmp_path: Path
) -> None:
    accepted: list[str] = []
    victim = lab.kafka.brokers[1]
    with deployed(lab, databases, tmp_path) as deployment:

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
        await_true(lambda: in_sync(lab, topics) == {3}, "the broker has caught up", seconds=60)
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
