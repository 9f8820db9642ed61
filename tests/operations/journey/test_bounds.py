"""What a journey may take, and what it tells when a part does not answer."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from orders_service.broker_client import BROKER_FILE, broker
from orders_service.database.columns import utc_now
from orders_service.events.brokers.port import Broker, BrokerError, Outgoing, Record
from orders_service.operations.journey import log
from orders_service.operations.journey.journey import ENTRIES, journey
from orders_service.operations.journey.reading import Found, Sources, read
from orders_service.operations.journey.searches import Searches, SearchesTaken
from orders_service.operations.records import HEADERS, TEXT_BYTES
from orders_service.orders import service
from rig.waiting import await_true
from tests.flow_kit import BERLIN, Flow
from tests.operations.journey.kit import journey_of, kinds


@pytest.fixture
def released() -> Iterator[threading.Event]:
    """Set at the end of the test, so that searches end which wait for it."""
    event = threading.Event()
    yield event
    event.set()


def test_a_search_that_hangs_is_left_and_keeps_its_place(released: threading.Event) -> None:
    searches: Searches[str] = Searches(most=2, patience=0.01)

    def hang(_: str) -> None:
        released.wait()

    searches.run("a", "a", hang)
    searches.run("b", "b", hang)

    with pytest.raises(SearchesTaken):
        searches.run("c", "c", hang)
    released.set()

    def is_free() -> bool:
        try:
            searches.run("c", "c", lambda _: None)
        except SearchesTaken:
            return False
        return True

    await_true(is_free, "the places are free again")


def test_the_viewers_of_one_order_share_a_search(released: threading.Event) -> None:
    searches: Searches[list[str]] = Searches(most=1, patience=0.01)
    began: list[int] = []

    def hang(found: list[str]) -> None:
        began.append(1)
        found.append("a record")
        released.wait()

    first, second = (searches.run("a", [], hang) for _ in range(2))

    assert second is first
    assert first == ["a record"]
    assert len(began) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_search_that_fails_leaves_its_place() -> None:
    searches: Searches[str] = Searches(most=1)

    def fail(_: str) -> None:
        raise KeyError

    searches.run("a", "a", fail)

    searches.run("b", "b", lambda _: None)
    await_true(lambda: "journey" not in [each.name for each in threading.enumerate()], "its thread has ended")


def test_without_a_free_search_a_journey_is_told_without_the_log(
    flow: Flow, released: threading.Event
) -> None:
    order_id = flow.place()
    flow.run()
    searches: Searches[Found] = Searches(most=1, patience=0.01)

    def hang(_: Found) -> None:
        released.wait()

    searches.run("another order", Found(), hang)
    sources = Sources(
        flow.settings, flow.databases.orders, flow.databases.catalog, partial(broker, flow.settings)
    )

    told = journey(read(sources, order_id, searches=searches))

    assert told.title.startswith("Confirmed ")
    missing = [entry.detail for entry in told.entries if entry.kind == "missing"]
    assert missing == ["The log is being searched for others."] * 2


def test_what_a_search_finds_too_late_is_not_told() -> None:
    found = Found()
    found.order.records.append(("order.placed.v1", Record("topic", 0, 1, 0, b"", b"", ())))
    told = found.copy()

    found.order.records.clear()
    found.order.problem = None

    assert len(told.order.records) == 1
    assert told.order.problem == log.LATE


def test_a_broker_that_does_not_answer_leaves_the_other_entries(flow: Flow) -> None:
    order_id = flow.place()
    flow.run()
    path = Path(flow.settings.state_dir, BROKER_FILE)
    path.rename(path.with_suffix(".away"))

    found = journey_of(flow, order_id)

    assert found["title"].startswith("Confirmed ")
    missing = [entry for entry in found["entries"] if entry["kind"] == "missing"]
    assert [(entry["title"], entry["detail"]) for entry in missing] == [
        ("In the log", "The broker does not answer."),
        ("Answer in the log", "The broker does not answer."),
    ]
    assert kinds(found) == [
        *("placed", "recorded", "sent", "missing", "reserved", "answer-recorded", "sent", "missing"),
        "confirmed",
    ]


def test_a_log_that_hangs_is_named(flow: Flow, released: threading.Event) -> None:
    order_id = flow.place()
    flow.run()

    def hang() -> Broker:
        released.wait()
        raise BrokerError("it did not answer")

    sources = Sources(flow.settings, flow.databases.orders, flow.databases.catalog, hang)

    told = journey(read(sources, order_id, searches=Searches(patience=0.01)))

    missing = [entry.detail for entry in told.entries if entry.kind == "missing"]
    assert missing == ["The log did not answer in 3 s."] * 2


def test_a_catalog_database_that_does_not_answer_leaves_the_other_entries(flow: Flow) -> None:
    order_id = flow.place()
    flow.run()
    flow.sql("catalog", "ALTER TABLE reservations RENAME TO away")

    found = journey_of(flow, order_id)

    details = [entry["detail"] for entry in found["entries"] if entry["kind"] == "missing"]
    assert details == ["The catalog database does not answer."]
    assert kinds(found)[-1] == "confirmed"


def test_a_search_reads_a_bounded_part_of_the_log(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "RECORDS", 100)
    order_id = flow.place()
    flow.send([Outgoing(flow.settings.catalog_topic, BERLIN.encode(), b"x") for _ in range(600)])
    flow.orders_relay.step()

    found = journey_of(flow, order_id)

    (missing,) = [entry for entry in found["entries"] if entry["title"] == "In the log"]
    assert missing["detail"].startswith("It is not among the ")


def test_a_large_record_is_cut(flow: Flow) -> None:
    order_id = flow.place()
    (row,) = flow.outbox()
    headers = [("ce_id", row.id.encode()), *((f"h{n}", b"x" * 2000) for n in range(150))]
    flow.send([Outgoing(row.topic, row.key.encode(), b"x" * 500_000, tuple(headers))])

    found = journey_of(flow, order_id)

    record = next(entry["record"] for entry in found["entries"] if entry["kind"] == "in-log")
    assert len(record["value"]) == TEXT_BYTES
    assert len(record["headers"]) == HEADERS
    assert record["cut"]


def test_a_journey_has_a_bounded_number_of_entries(flow: Flow) -> None:
    order_id = flow.place()
    for _ in range(60):
        with Session(flow.databases.orders) as session:
            service.resend(session, placed_before=utc_now(), outbox=flow.app.config["OUTBOX"])
    flow.run()

    found = journey_of(flow, order_id)

    assert len(found["entries"]) == ENTRIES
    assert f" Only the first {ENTRIES} of its " in found["subtitle"]


def test_the_api_does_not_load_kafkas_client_before_gevent_has_patched_its_modules() -> None:
    code = "import orders_service.api.app, sys; print([name for name in sys.modules if name == 'kafka'])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout == "[]\n"
