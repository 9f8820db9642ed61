"""Each process is killed at each crash point."""

import pytest

from orders_service import processes
from tests.faults.stage import Stage

pytestmark = [pytest.mark.real, pytest.mark.faults]

RELAYS = tuple(process.command for process in processes.RELAYS)
CONSUMERS = tuple(process.command for process in processes.CONSUMERS)


@pytest.mark.parametrize("point", ["transaction.written", "transaction.committed"])
def test_the_api_is_killed_ten_times(stage: Stage, point: str) -> None:
    log = stage.deployment.log("api")
    size = len(log.read_text())

    stage.restart("api", CRASH_AT=f"{point}:{stage.chance.randint(5, 15)}")
    with stage.ordering() as customers:
        while log.read_text()[size:].count("SIGKILL") < 10:
            customers.await_accepted(5)

    stage.settle()


@pytest.mark.parametrize("point", ["relay.fetched", "relay.sent", "relay.acknowledged", "relay.marked"])
def test_both_relays_are_killed_and_others_take_over(stage: Stage, point: str) -> None:
    stage.restart("catalog-relay", CRASH_AT=f"{point}:{stage.chance.randint(1, 3)}")
    stage.restart("orders-relay", CRASH_AT=f"{point}:{stage.chance.randint(6, 9)}")

    with stage.ordering() as customers:
        stage.replace_crashed(*RELAYS)
        customers.await_accepted(20)

    stage.settle()


@pytest.mark.parametrize("point", ["transaction.written", "transaction.committed", "consumer.acknowledged"])
def test_both_consumers_are_killed_and_others_take_over(stage: Stage, point: str) -> None:
    # The status-consumer is killed first: it has nothing to do while the stock-consumer is down.
    stage.restart("status-consumer", CRASH_AT=f"{point}:{stage.chance.randint(1, 3)}")
    stage.restart("stock-consumer", CRASH_AT=f"{point}:{stage.chance.randint(6, 9)}")

    with stage.ordering() as customers:
        stage.replace_crashed(*CONSUMERS)
        customers.await_accepted(20)

    stage.settle()
