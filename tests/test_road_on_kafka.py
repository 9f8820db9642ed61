"""The road on a real MariaDB and Kafka, read by the API as it is deployed: with greenlets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from lab import Lab
from rig.databases import Databases
from rig.deployment import Deployment, deployed
from rig.waiting import await_true

pytestmark = [pytest.mark.real, pytest.mark.parametrize("databases", ["mariadb"], indirect=True)]


@pytest.fixture
def deployment(lab: Lab, databases: Databases, tmp_path: Path) -> Iterator[Deployment]:
    with deployed(lab, databases, tmp_path) as running:
        yield running


def road(deployment: Deployment) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{deployment.url}/admin/road", timeout=10).json()
    return found


def await_road(deployment: Deployment, title: str) -> dict[str, Any]:
    """The first reading with that headline. The next may be older: each process of the API has its own."""
    found: dict[str, Any] = {}

    def is_shown() -> bool:
        found.update(road(deployment))
        return bool(found["headline"]["title"] == title)

    await_true(is_shown, f"the road says: {title}")
    return found


def states(found: dict[str, Any]) -> dict[str, str]:
    return {station["name"]: station["state"] for station in found["stations"]}


def test_a_consumer_that_stops_and_comes_back_is_seen(deployment: Deployment) -> None:
    deployment.place("kim", "CATALOG-001", 1)
    deployment.await_answers("kim")
    manned = await_road(deployment, "Orders flow")["stations"][3]

    deployment.stop("stock-consumer")
    deployment.place("kim", "CATALOG-001", 1)
    found = await_road(deployment, "1 order waits for the catalog")

    assert (manned["heldBy"], manned["heldDetail"]) == ("127.0.0.1", "0–5")
    assert found["headline"]["command"] == "orders-service stock-consumer"
    assert [name for name, state in states(found).items() if state != "well"] == ["catalog"]
    assert found["stations"][3]["heldBy"] == "nobody"
    kafka = httpx.get(f"{deployment.url}/admin/kafka", timeout=10).json()
    assert kafka["groups"][0] == {"name": kafka["groups"][0]["name"], "members": 0, "lag": 1}
    deployment.start("stock-consumer")
    await_road(deployment, "Orders flow")


def test_a_relay_that_stops_is_seen(deployment: Deployment) -> None:
    deployment.stop("orders-relay")
    deployment.place("kim", "CATALOG-001", 1)

    found = await_road(deployment, "1 event waits for the orders-relay")

    assert [name for name, state in states(found).items() if state != "well"] == ["orders"]
    deployment.start("orders-relay")
    await_road(deployment, "Orders flow")
