"""All processes on a real MariaDB and Kafka: every order comes to its end, whatever is killed."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Lab
from rig import waiting
from rig.customers import Customers, Habits
from rig.databases import Databases
from rig.deployment import PROCESSES, Deployment, deployed
from rig.history import await_promises

pytestmark = [
    pytest.mark.long,
    pytest.mark.real,
    pytest.mark.parametrize("databases", ["mariadb"], indirect=True),
]

PRODUCTS = dict.fromkeys(("CATALOG-001", "CATALOG-002", "CATALOG-003", "NO-SUCH-PRODUCT"), 1)


@pytest.fixture
def deployment(lab: Lab, databases: Databases, tmp_path: Path) -> Iterator[Deployment]:
    """The five processes, ready."""
    with deployed(lab, databases, tmp_path) as running:
        yield running


def customers_of(deployment: Deployment, *, crowd: int, habits: Habits) -> Customers:
    """Customers who order as fast as they are served."""
    chance = random.Random(20261124)
    return Customers([deployment.url], PRODUCTS, chance, rate=1000, crowd=crowd, habits=habits)


def test_200_orders_some_retried_some_cancelled_come_to_their_end(deployment: Deployment) -> None:
    habits = Habits(keys=0.25, repeats=1, cancels=0.15, qty=4)
    customers = customers_of(deployment, crowd=8, habits=habits)

    with customers.ordering():
        customers.await_accepted(200)

    history = await_promises(deployment, customers.told)
    assert any(len(customer.order_ids) == 2 for customer in customers.told)
    assert {order.status for order in history.orders.values()} == {"CONFIRMED", "REJECTED", "CANCELLED"}


@pytest.mark.parametrize("victim", PROCESSES)
def test_a_killed_process_loses_nothing_and_applies_nothing_twice(
    deployment: Deployment, victim: str
) -> None:
    customers = customers_of(deployment, crowd=4, habits=Habits(keys=1))

    with customers.ordering():
        customers.await_accepted(30)
        deployment.kill(victim)
        deployment.start(victim)
        customers.await_accepted(90)

    await_promises(deployment, customers.told, seconds=60)


def test_orders_are_taken_while_kafka_is_down_and_answered_when_it_is_back(
    lab: Lab, deployment: Deployment
) -> None:
    customers = customers_of(deployment, crowd=1, habits=Habits())
    lab.kafka.stop()
    try:
        with customers.ordering():
            customers.await_accepted(100)
        assert deployment.api.get("/readyz").json()["checks"]["broker"] == "down"
    finally:
        lab.kafka.start()

    history = await_promises(deployment, customers.told, seconds=60)

    assert len(history.orders) >= 100
    assert customers.latencies()[-1] < waiting.seconds(1)


def test_each_process_stops_when_told_and_goes_on_when_started(deployment: Deployment) -> None:
    deployment.place("kim", "CATALOG-001", 1)
    deployment.await_answers("kim")

    codes = {name: deployment.stop(name) for name in PROCESSES}
    deployment.start(*PROCESSES)
    deployment.await_ready()
    deployment.place("kim", "CATALOG-001", 1)

    assert codes == dict.fromkeys(PROCESSES, 0)
    assert [order["status"] for order in deployment.await_answers("kim")] == ["CONFIRMED", "CONFIRMED"]


def test_the_first_order_tells_its_whole_way(deployment: Deployment) -> None:
    told = deployment.run("first-order", "--qty", "20")

    assert "PENDING → CONFIRMED" in told
    assert "CATALOG-001: 100 → 80" in told
    assert f"{deployment.environment['CATALOG_TOPIC']}-" in told
    assert "the same order, no second one" in told
