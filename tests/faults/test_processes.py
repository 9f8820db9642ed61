"""Processes are stopped, or their clocks are moved, while customers order and cancel."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lab import Ports
from orders_service.events.tables import OutboxRow
from rig.customers import Customer, answers
from rig.deployment import PROCESSES
from rig.waiting import await_true
from tests.faults.stage import Stage
from tests.faults.test_killed import RELAYS

pytestmark = [pytest.mark.real, pytest.mark.faults]

HOUR = 3600
TWINS = 100


def test_each_process_stops_in_time_under_load(stage: Stage) -> None:
    with stage.ordering() as customers:
        for name in PROCESSES:
            stage.stop(name)
            stage.deployment.start(name)
            customers.await_accepted(20)

    stage.settle()


def test_the_clock_of_every_other_process_is_moved_by_an_hour(stage: Stage, tmp_path: Path) -> None:
    odd = {"PYTHONPATH": str(Path(__file__).with_name("clock")), "CLOCK": str(tmp_path / "clock")}
    moved = ("orders-relay", "catalog-relay", "stock-consumer")
    stage.restart(*moved, **odd)

    with stage.ordering() as customers:
        stage.await_answer(seconds=30)  # They have the leases of the lanes before a second instance starts.
        stage.deployment.start(*(f"{name}#2" for name in moved))
        for seconds in (HOUR, -HOUR):
            (tmp_path / "next").write_text(str(seconds))
            (tmp_path / "next").rename(odd["CLOCK"])
            customers.await_accepted(60)
            stage.await_answer(seconds=30)

    stage.settle()
    with Session(stage.databases.orders) as session:
        first, last = session.execute(
            select(func.min(OutboxRow.published_at), func.max(OutboxRow.published_at))
        ).one()
    assert last is not None
    assert first is not None
    assert last - first > timedelta(seconds=2 * HOUR - 60), "the clocks were not moved"


def test_customers_cancel_while_the_catalog_confirms(stage: Stage) -> None:
    with stage.ordering(rate=80, cancels=1.0) as customers:
        customers.await_accepted(200)

    history = stage.settle()
    assert {"RELEASED", "REJECTED"} <= {row.state for row in history.reservations.values()}


def test_twins_of_one_key_are_one_order(stage: Stage) -> None:
    (product,) = stage.products(TWINS)
    second = str(Ports.free().connect)
    stage.deployment.start("api#2", API_PORT=second)
    url = f"http://127.0.0.1:{second}"
    apis = [stage.deployment.api, httpx.Client(base_url=url)]
    await_true(lambda: answers(url, "/livez"), "the second API answers")

    for number in range(TWINS):
        customer = Customer(f"{product}-{number}", product, 1, key="k", repeats=True, cancels=False)
        twins = place_at_once(apis, customer)
        assert [twin.status_code for twin in twins] == [201, 201], [twin.text for twin in twins]
        customer.order_ids = [twin.json()["orderId"] for twin in twins]
        stage.told.append(customer)

    apis[1].close()
    stage.settle()


def place_at_once(apis: Sequence[httpx.Client], customer: Customer) -> list[httpx.Response]:
    """Send the customer's order to every API at the same moment."""
    together = Barrier(len(apis))
    asked = {"productId": customer.product, "qty": customer.qty, "unitPrice": 1}

    def place(api: httpx.Client) -> httpx.Response:
        together.wait()
        headers = {"Idempotency-Key": customer.key or ""}
        return api.post(f"/order-service/{customer.name}/orders", json=asked, headers=headers)

    with ThreadPoolExecutor(len(apis)) as pool:
        return [*pool.map(place, apis)]


def test_several_relays_send_nothing_twice(stage: Stage) -> None:
    again = stage.again
    stage.deployment.start(*(f"{name}#{number}" for name in RELAYS for number in (2, 3)))

    with stage.ordering() as customers:
        customers.await_accepted(200)

    stage.settle()
    assert stage.again == again
