"""Five real processes on a real MariaDB and Kafka: every order comes to its end, whatever is killed."""

import random
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lab import Lab
from tests import patience
from tests.databases import Databases
from tests.deployment import (
    PROCESSES,
    Deployment,
    assert_orders_and_reservations_agree,
    databases_in,
    deployed,
)
from tests.patience import await_true

pytestmark = pytest.mark.real

PRODUCTS = ("CATALOG-001", "CATALOG-002", "CATALOG-003", "NO-SUCH-PRODUCT")


@pytest.fixture
def databases(lab: Lab) -> Iterator[Databases]:
    """Two databases of the real MariaDB."""
    with databases_in(lab) as found:
        yield found


@pytest.fixture
def deployment(lab: Lab, databases: Databases, tmp_path: Path) -> Iterator[Deployment]:
    """The five processes, ready."""
    with deployed(lab, databases, tmp_path) as running:
        yield running


def test_200_orders_some_retried_some_cancelled_come_to_their_end(
    deployment: Deployment, databases: Databases
) -> None:
    chance = random.Random(20261124)

    def customer(number: int) -> tuple[str, bool]:
        product, qty = chance.choice(PRODUCTS), chance.randint(1, 4)
        key = f"key-{number}" if number % 4 == 0 else None
        order = deployment.place("kim", product, qty, key=key)
        if key:
            assert deployment.place("kim", product, qty, key=key) == order
        cancelled = number % 7 == 0
        if cancelled:
            answer = deployment.api.post(f"/order-service/kim/orders/{order['orderId']}/cancel")
            cancelled = answer.status_code == 200
        return order["orderId"], cancelled

    with ThreadPoolExecutor(8) as pool:
        sent = dict(pool.map(customer, range(200)))

    orders = deployment.await_answers("kim")
    assert {order["orderId"] for order in orders} == set(sent)
    cancelled = {id_ for id_, was in sent.items() if was}
    assert {order["orderId"] for order in orders if order["status"] == "CANCELLED"} == cancelled
    assert_orders_and_reservations_agree(orders, databases)


@pytest.mark.parametrize("victim", PROCESSES)
def test_a_killed_process_loses_nothing_and_applies_nothing_twice(
    deployment: Deployment, databases: Databases, victim: str
) -> None:
    accepted: list[str] = []

    def customer(number: int) -> None:
        try:
            accepted.append(deployment.place("kim", PRODUCTS[number % 3], 1)["orderId"])
        except Exception:
            if victim != "api":
                raise

    with ThreadPoolExecutor(4) as pool:
        customers = [pool.submit(customer, number) for number in range(120)]
        await_true(lambda: len(accepted) >= 30, "30 orders are accepted")
        deployment.kill(victim)
        deployment.start(victim)
    for done in customers:
        done.result()

    deployment.await_ready()
    orders = deployment.await_answers("kim", seconds=60)
    assert set(accepted) <= {order["orderId"] for order in orders}
    assert_orders_and_reservations_agree(orders, databases)


def test_orders_are_taken_while_kafka_is_away_and_answered_when_it_is_back(
    lab: Lab, deployment: Deployment, databases: Databases
) -> None:
    lab.kafka.stop()
    slowest = 0.0
    try:
        for number in range(100):
            sent = time.perf_counter()
            deployment.place("kim", PRODUCTS[number % 3], 1)
            slowest = max(slowest, time.perf_counter() - sent)
        assert deployment.api.get("/readyz").json()["checks"]["broker"] == "down"
    finally:
        lab.kafka.start()

    orders = deployment.await_answers("kim", seconds=60)

    assert len(orders) == 100
    assert slowest < patience.seconds(1)
    assert_orders_and_reservations_agree(orders, databases)


def test_each_process_stops_when_told_and_goes_on_when_started(deployment: Deployment) -> None:
    deployment.place("kim", "CATALOG-001", 1)
    deployment.await_answers("kim")

    codes = {word: deployment.stop(word) for word in PROCESSES}
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
