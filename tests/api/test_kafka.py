"""`GET /admin/kafka` and the records of a topic."""

import json
import threading
from pathlib import Path

import pytest

from orders_service.api.admin import kafka
from orders_service.events.brokers.port import Outgoing
from tests.api.kit import assert_problem
from tests.flow_kit import Flow

PATH = "/admin/kafka"


def test_the_lag_of_a_group_stands_beside_its_topic(flow: Flow) -> None:
    flow.place()
    flow.orders_relay.step()

    found = flow.api.get(PATH).get_json()

    topic = found["topics"][0]
    assert topic["name"] == flow.settings.catalog_topic
    assert topic["lag"] == {"catalog-stock": 1}
    assert (topic["replication"], topic["inSync"], len(topic["partitions"])) == (1, 1, 3)
    (filled,) = [partition for partition in topic["partitions"] if partition["end"]]
    assert filled["groups"] == [{"group": "catalog-stock", "committed": None, "lag": 1, "member": None}]
    assert found["groups"][0] == {"name": "catalog-stock", "members": None, "lag": 1}
    assert (found["problem"], found["connectors"]) == (None, None)
    flow.run()


def test_a_broker_that_cannot_be_read_is_a_problem_in_its_place(flow: Flow) -> None:
    flow.log._path.rename(flow.log._path.with_suffix(".away"))  # type: ignore[attr-defined]

    found = flow.api.get(PATH)
    records = flow.api.get(f"{PATH}/{flow.settings.catalog_topic}/records")

    assert found.status_code == 200
    assert "does not exist" in found.get_json()["problem"]
    assert_problem(records, 503, "broker-unavailable")
    Path(f"{flow.log._path}").with_suffix(".away").rename(flow.log._path)  # type: ignore[attr-defined]


def test_the_newest_records_are_listed_as_text(flow: Flow) -> None:
    topic = flow.settings.catalog_topic
    flow.place()
    flow.run()
    hostile = Outgoing(topic, b"\xff\x1b[31m", b"<script>\x07" + b"x" * 70_000, (("\u202ename", b"\x00"),))
    flow.send([hostile])

    found = flow.api.get(f"{PATH}/{topic}/records").get_json()

    assert len(found) == 2
    newest = next(record for record in found if record["value"].startswith("<script>"))
    assert newest["place"].startswith(f"{topic}-")
    assert newest["key"] == r"\xff\x1b[31m"
    assert newest["headers"] == [[r"\u202ename", r"\x00"]]
    assert newest["value"].startswith(r"<script>\x07xxx")
    assert len(newest["value"]) < 66_000
    placed = next(record for record in found if record is not newest)
    assert json.loads(placed["value"])["productId"] == "CATALOG-001"
    assert "ce_id" in dict(placed["headers"])


def test_only_topics_of_the_service_can_be_read(flow: Flow) -> None:
    assert_problem(flow.api.get(f"{PATH}/another-topic/records"), 404, "not-found")


@pytest.mark.parametrize("limit", ["0", "51", "-1", "x", "1.5", ""])
def test_a_wrong_limit_is_named(flow: Flow, limit: str) -> None:
    response = flow.api.get(f"{PATH}/{flow.settings.catalog_topic}/records?limit={limit}")

    assert_problem(response, 422, "invalid-fields", fields=("limit",))


def test_few_may_read_records_at_the_same_time(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka, "READERS", threading.BoundedSemaphore(1))
    kafka.READERS.acquire()

    refused = flow.api.get(f"{PATH}/{flow.settings.catalog_topic}/records")
    kafka.READERS.release()

    assert_problem(refused, 503, "overloaded")
    assert flow.api.get(f"{PATH}/{flow.settings.catalog_topic}/records").status_code == 200
