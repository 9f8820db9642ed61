"""`GET /admin/road`: what it tells of databases and a log in real states."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, event, update

from orders_service.api.admin import road_reader
from orders_service.api.admin.road_reader import RoadReader
from orders_service.database.columns import utc_now
from orders_service.events.brokers.port import Outgoing
from orders_service.events.tables import OutboxRow
from orders_service.operations.road import orders
from orders_service.orders.order import Order
from rig.waiting import await_true
from tests.flow_kit import BERLIN, Flow

PATH = "/admin/road"
STATIONS = ["post", "orders", "kafka", "catalog", "answer"]


def road(flow: Flow) -> dict[str, Any]:
    response = flow.api.get(PATH)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.get_json()
    return found


def station(flow: Flow, name: str) -> dict[str, Any]:
    (found,) = [each for each in road(flow)["stations"] if each["name"] == name]
    return dict(found)


def reader(flow: Flow) -> RoadReader:
    found: RoadReader = flow.app.extensions["road"]
    return found


@contextmanager
def statements(flow: Flow) -> Iterator[list[str]]:
    """The statements on the flow's databases."""
    found: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        found.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_before_the_first_order_it_says_how_to_place_one(flow: Flow) -> None:
    found = road(flow)

    assert found["headline"]["title"] == "No order yet"
    assert found["headline"]["command"] == "orders-service first-order"
    assert [each["name"] for each in found["stations"]] == STATIONS
    assert {each["state"] for each in found["stations"]} == {"well"}


def test_orders_that_are_answered_flow(flow: Flow) -> None:
    flow.place(qty=2)
    flow.place(qty=1000)
    flow.run()

    found = road(flow)

    assert (found["headline"]["level"], found["headline"]["title"]) == ("well", "Orders flow")
    assert {each["state"] for each in found["stations"]} == {"well"}
    assert found["answers"]["medianMs"] > 0
    assert found["answers"]["waiting"] == 0
    recent = found["recent"]
    assert {name: recent[name] for name in ("placed", "confirmed", "rejected", "cancelled", "pending")} == {
        "placed": 2,
        "confirmed": 1,
        "rejected": 1,
        "cancelled": 0,
        "pending": 0,
    }
    assert len(recent["bySecond"]) == 30
    assert sum(second["confirmed"] for second in recent["bySecond"]) == 1
    assert found["stock"]["addsUp"]
    assert found["stock"]["reserved"] == 2
    assert found["deadLetters"] == {"waiting": 0, "onHold": 0}


def test_the_answers_are_of_the_newest_orders_whatever_the_answer(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "ANSWERS", 2)
    flow.place(qty=1000)
    flow.run()
    with flow.databases.orders.begin() as connection:
        connection.execute(update(Order).values(created_at=utc_now() - timedelta(minutes=1)))
    flow.place()
    flow.place()
    flow.run()

    found = road(flow)

    assert found["answers"]["p99Ms"] < 60_000


def test_events_that_no_relay_sends_stop_the_orders(flow: Flow) -> None:
    flow.place()
    before = station(flow, "orders")
    with flow.databases.orders.begin() as connection:
        connection.execute(update(OutboxRow).values(created_at=utc_now() - timedelta(seconds=5)))

    await_true(lambda: station(flow, "orders")["state"] == "stopped", "the relay is missed")

    assert before["state"] == "well"
    after = station(flow, "orders")
    assert after["waiting"] == {"count": 1, "of": "event"}
    assert after["oldestSeconds"] >= 5
    assert after["heldBy"] == "nobody"
    headline = road(flow)["headline"]
    assert headline["title"] == "1 event waits for the orders-relay"
    assert headline["command"] == "orders-service orders-relay"
    flow.run()
    await_true(lambda: road(flow)["headline"]["level"] == "well", "the relay is back")
    assert station(flow, "orders")["heldDetail"].startswith("for ")


@pytest.mark.parametrize(
    ("left_out", "name", "title", "command"),
    [
        ("stock-consumer", "catalog", "2 orders wait for the catalog", "orders-service stock-consumer"),
        (
            "status-consumer",
            "answer",
            "2 answers wait for the status-consumer",
            "orders-service status-consumer",
        ),
    ],
)
def test_records_that_no_consumer_reads_stop_a_station(
    flow: Flow, left_out: str, name: str, title: str, command: str
) -> None:
    road(flow)
    flow.place()
    flow.place()
    others = [worker for known, worker in flow.by_command.items() if known != left_out]
    while sum(worker.step() for worker in others):
        pass

    await_true(lambda: station(flow, name)["state"] == "stopped", f"the {left_out} is missed")

    found = road(flow)
    assert found["headline"]["title"] == title
    assert found["headline"]["command"] == command
    stopped = [each["name"] for each in found["stations"] if each["state"] == "stopped"]
    assert stopped == [name]
    assert station(flow, name)["waiting"] == {"count": 2, "of": "records"}
    assert station(flow, name)["oldestSeconds"] > 3
    flow.run()
    await_true(lambda: road(flow)["headline"]["level"] == "well", "the consumer is back")


def test_answers_that_no_relay_sends_stop_the_answer(flow: Flow) -> None:
    flow.place()
    while flow.orders_relay.step() + flow.stock_consumer.step():
        pass
    with flow.databases.catalog.begin() as connection:
        connection.execute(update(OutboxRow).values(created_at=utc_now() - timedelta(seconds=5)))

    found = road(flow)

    assert found["headline"]["title"] == "1 event waits for the catalog-relay"
    assert found["stations"][4]["state"] == "stopped"
    flow.run()


def test_a_dead_letter_is_named_when_nothing_is_stopped(flow: Flow) -> None:
    flow.place()
    flow.run()
    headers = (("ce_type", b"order.placed.v1"),)
    flow.send([Outgoing(flow.settings.catalog_topic, b"key", b"no JSON", headers)])
    flow.run()

    found = road(flow)

    assert found["headline"]["level"] == "trouble"
    assert found["headline"]["title"] == "1 dead letter waits for a decision"
    assert found["deadLetters"] == {"waiting": 1, "onHold": 0}
    error = station(flow, "catalog")["lastError"]
    assert (error["text"], error["path"]) == ("unreadable", "/ui/dead-letters")


def test_a_stock_that_does_not_add_up_is_named(flow: Flow) -> None:
    flow.place()
    flow.run()
    flow.sql("catalog", f"UPDATE catalog SET stock = stock + 1 WHERE product_id = '{BERLIN}'")

    found = road(flow)

    assert found["headline"]["title"] == "The stock of 1 product does not add up"
    assert (found["stock"]["addsUp"], found["stock"]["wrongProducts"]) == (False, 1)
    flow.sql("catalog", f"UPDATE catalog SET stock = stock - 1 WHERE product_id = '{BERLIN}'")


def test_the_rate_is_the_difference_of_two_readings(flow: Flow) -> None:
    flow.place()
    flow.run()
    assert station(flow, "post")["perSecond"] is None

    for _ in range(20):
        flow.place()
    flow.run()

    moved: set[str] = set()

    def all_have_moved() -> bool:
        # A reading may come between two of them, and each is asked for more than once.
        moved.update(each["name"] for each in road(flow)["stations"] if (each["perSecond"] or 0) > 0)
        return moved == set(STATIONS)

    await_true(all_have_moved, "every station has had a rate")


def test_without_a_viewer_no_thread_is_left_that_could_read(
    flow: Flow, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(road_reader, "LOOKED_AT_SECONDS", 0.1)
    before = set(threading.enumerate())
    with statements(flow) as found:
        road(flow)
    during = set(threading.enumerate())

    await_true(lambda: set(threading.enumerate()) <= before, "nobody looks any more")

    assert found
    assert "road" in {thread.name for thread in during - before}


def test_all_viewers_share_one_reading_a_second(flow: Flow) -> None:
    flow.place()
    flow.run()
    road(flow)

    with statements(flow) as found:
        first = reader(flow).latest()
        assert first
        for _ in range(50):
            road(flow)
        last = reader(flow).after(first.number, 5)

    assert last
    readings = last.number - first.number
    looks = sum("max(orders.id)" in statement for statement in found)
    assert looks <= readings + 1
    assert len(found) / max(1, looks) <= 45
