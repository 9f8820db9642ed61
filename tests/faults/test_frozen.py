"""A process is frozen until another has taken over, and then continues."""

import pytest

from tests.faults.stage import Stage
from tests.faults.test_killed import CONSUMERS, RELAYS

pytestmark = [pytest.mark.real, pytest.mark.faults]

LEASE_SECONDS = 5
SESSION_SECONDS = 15


@pytest.mark.parametrize("point", ["relay.fetched", "relay.acknowledged"])
def test_both_relays_sleep_past_their_leases(stage: Stage, point: str) -> None:
    stage.restart("catalog-relay", STOP_AT=f"{point}:{stage.chance.randint(1, 3)}")
    stage.restart("orders-relay", STOP_AT=f"{point}:{stage.chance.randint(6, 9)}")

    with stage.ordering() as customers:
        stage.follow_frozen(*RELAYS)
        stage.await_answer(seconds=LEASE_SECONDS * 3)
        stage.thaw(*RELAYS)
        customers.await_accepted(20)

    stage.settle()


# At the first point the stock-consumer holds products' rows, and the status-consumer orders' rows.
@pytest.mark.parametrize("point", ["transaction.written", "transaction.committed"])
def test_both_consumers_sleep_past_their_sessions(stage: Stage, point: str) -> None:
    stage.restart("status-consumer", STOP_AT=f"{point}:{stage.chance.randint(1, 3)}")
    stage.restart("stock-consumer", STOP_AT=f"{point}:{stage.chance.randint(6, 9)}")

    with stage.ordering() as customers:
        stage.follow_frozen(*CONSUMERS)
        stage.await_answer(seconds=SESSION_SECONDS * 3)
        stage.thaw(*CONSUMERS)
        customers.await_accepted(20)

    stage.settle()
