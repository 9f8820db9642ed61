"""Processes are told to stop, or their clocks are moved, while customers order and change their minds."""

from pathlib import Path

import pytest

from tests.deployment import PROCESSES
from tests.faults.stage import Stage
from tests.faults.test_killed import RELAYS

pytestmark = [pytest.mark.real, pytest.mark.faults]

HOUR = 3600


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
            Path(odd["CLOCK"]).write_text(str(seconds))
            stage.await_accepted(customers, 60)
            stage.await_answer(seconds=10)

    stage.settle()


def test_customers_cancel_while_the_catalog_confirms(stage: Stage) -> None:
    with stage.ordering(rate=80, cancels=1.0) as customers:
        stage.await_accepted(customers, 200)

    history = stage.settle()
    assert {"RELEASED", "REJECTED"} <= {row.state for row in history.reservations.values()}


def test_several_relays_send_nothing_twice(stage: Stage) -> None:
    again = stage.again
    stage.deployment.start(*(f"{word}#{number}" for word in RELAYS for number in (2, 3)))

    with stage.ordering() as customers:
        stage.await_accepted(customers, 200)

    stage.settle()
    assert stage.again == again
