"""Journeys on a real MariaDB and a real Kafka, through the API process with its greenlets."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from lab import Lab
from orders_service.events.tables import OutboxRow
from rig import waiting
from rig.databases import Databases
from rig.deployment import Deployment, deployed
from rig.waiting import await_true
from tests.operations.journey.kit import CONFIRMED, kinds, one

pytestmark = [
    pytest.mark.long,
    pytest.mark.real,
    pytest.mark.parametrize("databases", ["mariadb"], indirect=True),
]

BODY = {"productId": "CATALOG-001", "qty": 2, "unitPrice": 1500}


@pytest.fixture
def deployment(lab: Lab, databases: Databases, tmp_path: Path) -> Iterator[Deployment]:
    with deployed(lab, databases, tmp_path) as found:
        yield found


def place(deployment: Deployment, *, wait: int = 10, **fields: Any) -> str:
    """The id of an order that the catalog has answered."""
    headers = {"Prefer": f"wait={wait}"} if wait else {}
    answer = deployment.api.post("/order-service/kim/orders", json=BODY | fields, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["orderId"])


def journey_of(deployment: Deployment, order_id: str) -> dict[str, Any]:
    answer = deployment.api.get(f"/admin/orders/{order_id}/journey")
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_journeys_are_told_from_mariadb_and_kafka(deployment: Deployment) -> None:
    confirmed, rejected, cancelled = place(deployment), place(deployment, qty=1000), place(deployment)
    deployment.api.post(f"/order-service/kim/orders/{cancelled}/cancel").raise_for_status()
    await_true(lambda: kinds(journey_of(deployment, cancelled))[-1] == "released", "the pieces are released")

    of_confirmed, of_rejected = journey_of(deployment, confirmed), journey_of(deployment, rejected)
    of_cancelled = journey_of(deployment, cancelled)

    assert kinds(of_confirmed) == CONFIRMED
    catalog, stock = deployment.settings.catalog_topic, deployment.settings.stock_topic
    assert one(of_confirmed, "in-log")["place"].startswith(f"{catalog}-")
    assert one(of_confirmed, "answer-in-log")["place"].startswith(f"{stock}-")
    assert dict(one(of_confirmed, "in-log")["record"]["headers"])["ce_subject"] == confirmed
    assert one(of_confirmed, "in-log")["source"] == "Kafka, by orders-relay"
    assert kinds(of_rejected)[3:] == ["rejected", "answer-recorded", "answer-in-log", "order-rejected"]
    assert kinds(of_cancelled)[-4:] == ["cancelled", "recorded", "in-log", "released"]


def test_an_event_that_was_sent_twice_is_found_twice(deployment: Deployment) -> None:
    order_id = place(deployment)
    with deployment.databases.orders.begin() as connection:
        connection.execute(update(OutboxRow).values(lane=OutboxRow.topic, published_at=None))

    def again() -> list[str]:
        return [
            entry["title"]
            for entry in journey_of(deployment, order_id)["entries"]
            if entry["kind"] == "repeat"
        ]

    await_true(lambda: "Answer in the log again" in again(), "the event came twice, and its answer")

    assert sorted(again()) == ["Answer in the log again", "Answer recorded again", "In the log again"]


def test_a_stopped_consumer_is_named(deployment: Deployment) -> None:
    deployment.stop("stock-consumer")
    order_id = place(deployment, wait=0)
    group = deployment.settings.stock_group

    def says_so() -> bool:
        detail: str = one(journey_of(deployment, order_id), "missing")["detail"]
        return detail.endswith(
            f" for the consumer group {group}, which has no consumer."
            " Start it with: orders-service stock-consumer"
        )

    await_true(says_so, "the journey says that there is no consumer", seconds=60)


def test_a_search_leaves_the_event_loop_to_other_requests(deployment: Deployment) -> None:
    order_id = place(deployment)
    journey_of(deployment, order_id)  # The first one loads the client.
    longest = 0.0
    with ThreadPoolExecutor(1) as pool:
        search = pool.submit(journey_of, deployment, order_id)
        while not search.done():
            began = time.monotonic()
            deployment.api.get(f"/order-service/kim/orders/{order_id}").raise_for_status()
            longest = max(longest, time.monotonic() - began)

    assert kinds(search.result()) == CONFIRMED
    assert longest < waiting.seconds(1)
