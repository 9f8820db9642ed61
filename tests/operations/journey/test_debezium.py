"""The journey of an order whose events Debezium sends."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orders_service.events.lanes import outgoing
from rig.databases import Databases
from tests.flow_kit import Flow
from tests.operations.journey.kit import CONFIRMED, journey_of, kinds, one


@pytest.fixture
def flow(databases: Databases, tmp_path: Path) -> Iterator[Flow]:
    whole = Flow(databases, tmp_path, EVENTS_VIA="cdc")
    yield whole
    whole.close()


def test_an_event_that_debezium_has_not_sent_is_not_there_yet(flow: Flow) -> None:
    order_id = flow.place()

    journey = journey_of(flow, order_id)

    assert journey["title"].endswith(": not sent yet")
    assert "Debezium sends this event." in one(journey, "missing")["detail"]


def test_an_event_that_debezium_has_sent_says_so(flow: Flow) -> None:
    order_id = flow.place()
    flow.send([outgoing(row) for row in flow.outbox()])  # type: ignore[arg-type]
    for step in (flow.stock_consumer, flow.catalog_relay, flow.status_consumer):
        step.step()

    journey = journey_of(flow, order_id)

    assert kinds(journey) == CONFIRMED
    assert one(journey, "in-log")["source"] == "embedded log, by Debezium"
    assert one(journey, "in-log")["detail"] == "Sent by Debezium."
    assert one(journey, "answer-in-log")["source"] == "embedded log, by catalog-relay"
