"""Processes are told to stop, or their clocks are moved, while customers order and change their minds."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from orders_service.events.tables import OutboxRow
from tests.deployment import PROCESSES
from tests.faults.customers import Customer
from tests.faults.stage import Stage
from tests.faults.test_killed import RELAYS

pytestmark = [pytest.mark.real, pytest.mark.faults]

HOUR = 3600
TWINS = 100


def test_each_process_stops_in_time_under_load(stage: Stage) -> None:
    with stage.ordering() as customers:
        for word in PROCESSES:
            stage.stop(word)
            stage.deployment.start(word)
            stage.await_accepted(customers, 20)

    stage.settle()


def test_the_clock_of_every_other_process_is_moved_by_an_hour(stage: Stage, tmp_path: Path) -> None:
    odd = {"PYTHONPATH": str(Path(__file__).with_name("clock")), "CLOCK": str(tmp_path / "clock")}
    moved = ("orders-relay", "catalog-relay", "stock-consumer")
    stage.restart(*moved, **odd)
    stage.deployment.start(*(f"{word}#2" for word in moved))

    with stage.ordering() as customers:
        for seconds in (HOUR, -HOUR):
            (tmp_path / "next").write_text(str(seconds))
            (tmp_path / "next").rename(odd["CLOCK"])
            stage.await_accepted(customers, 60)
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
        stage.await_accepted(customers, 200)

    history = stage.settle()
    assert {"RELEASED", "REJECTED"} <= {row.state for row in history.reservations.values()}


def test_twins_of_one_key_are_one_order(stage: Stage) -> None:
    (product,) = stage.products(TWINS)

    for number in range(TWINS):
        customer = Customer(f"{product}-{number}", product, 1, key="k", repeats=True, cancels=False)
        barrier = Barrier(2)

        def place(_: int, customer: Customer = customer, barrier: Barrier = barrier) -> str:
            barrier.wait()
            placed = stage.deployment.place(customer.name, customer.product, customer.qty, key=customer.key)
            return str(placed["orderId"])

        with ThreadPoolExecutor(2) as pool:
            customer.order_ids += pool.map(place, range(2))
        stage.told.append(customer)

    stage.settle()


def test_several_relays_send_nothing_twice(stage: Stage) -> None:
    again = stage.again
    stage.deployment.start(*(f"{word}#{number}" for word in RELAYS for number in (2, 3)))

    with stage.ordering() as customers:
        stage.await_accepted(customers, 200)

    stage.settle()
    assert stage.again == again
