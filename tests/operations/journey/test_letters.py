"""A dead letter stands in the place of the entry that it stopped."""

import json
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from orders_service.broker_client import BROKER_FILE
from orders_service.database.columns import utc_now
from orders_service.events.brokers.port import Outgoing
from orders_service.events.tables import OutboxRow
from orders_service.operations.journey import stored
from tests.flow_kit import BERLIN, Flow
from tests.operations.journey.kit import journey_of, kinds, one


def poisoned(flow: Flow) -> str:
    """An order whose event cannot be read."""
    order_id = flow.place()
    with flow.databases.orders.begin() as connection:
        connection.execute(update(OutboxRow).values(payload='{"orderId": "' + order_id + '"'))
    flow.run()
    return order_id


def test_a_dead_letter_stops_the_order(flow: Flow) -> None:
    order_id = poisoned(flow)

    journey = journey_of(flow, order_id)

    assert journey["state"] == "stopped"
    assert journey["title"] == "Stopped: a dead letter"
    assert kinds(journey) == ["placed", "recorded", "in-log", "dead-letter"]
    letter = one(journey, "dead-letter")
    assert letter["mark"] == "stopped"
    assert letter["detail"].startswith("Unreadable: ")
    assert letter["place"] == one(journey, "in-log")["place"]
    assert letter["path"] == f"/ui/dead-letters/{letter['place']}"
    assert letter["source"] == "catalog database, dead_letters"


def test_a_letter_of_a_conflicting_record_stands_beside_the_confirmed_order(flow: Flow) -> None:
    order_id = flow.place(qty=2)
    flow.run()
    (placed,) = flow.records(flow.settings.catalog_topic)
    value = json.loads(placed.value or b"") | {"qty": 3, "totalPrice": 4500}
    flow.send([Outgoing(placed.topic, placed.key, json.dumps(value).encode(), placed.headers)])
    flow.run()

    journey = journey_of(flow, order_id)

    assert journey["state"] == "confirmed"
    assert one(journey, "dead-letter")["detail"].startswith(
        f"Conflicting: order {order_id} was recorded with 2 × {BERLIN}, but this record has 3 × {BERLIN}"
    )


def test_the_letter_of_an_answer_stops_the_order(flow: Flow) -> None:
    order_id = flow.place()
    flow.orders_relay.step()
    flow.stock_consumer.step()
    with flow.databases.catalog.begin() as connection:
        connection.execute(update(OutboxRow).values(payload="{"))
    flow.run()

    journey = journey_of(flow, order_id)

    assert journey["state"] == "stopped"
    assert kinds(journey)[-2:] == ["answer-in-log", "dead-letter"]
    assert one(journey, "dead-letter")["source"] == "orders database, dead_letters"


def test_a_letter_is_found_although_the_log_is_gone(flow: Flow) -> None:
    order_id = poisoned(flow)
    with closing(sqlite3.connect(Path(flow.settings.state_dir, BROKER_FILE))) as log:
        log.execute("DELETE FROM records")
        log.commit()

    journey = journey_of(flow, order_id)

    assert journey["state"] == "stopped"
    assert one(journey, "dead-letter")["detail"].startswith("Unreadable: ")


def test_of_many_letters_the_newest_are_looked_through(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored, "LETTERS_READ", 1)
    poisoned(flow)
    since = utc_now() - timedelta(hours=1)
    flow.send([Outgoing(flow.settings.catalog_topic, b"key", b"{newest", (("ce_type", b"order.placed.v1"),))])
    flow.stock_consumer.step()

    with flow.databases.catalog.connect() as connection:
        (newest,) = stored.letters_naming(connection, flow.settings.catalog_topic, "newest", since)
        later = stored.letters_naming(connection, flow.settings.catalog_topic, "newest", utc_now())

    assert newest.reason == "unreadable"
    assert later == []


def test_hostile_text_of_a_letter_is_shown_as_escapes(flow: Flow) -> None:
    order_id = flow.place()
    (row,) = flow.outbox()
    nasty = "<script>\x1b[2J\u202e"
    flow.send(
        [
            Outgoing(
                row.topic,
                BERLIN.encode(),
                (nasty + "{").encode() + b"\xff",
                (("ce_id", row.id.encode()), ("ce_type", b"order.placed.v1"), (nasty, nasty.encode())),
            )
        ]
    )
    flow.stock_consumer.step()

    journey = journey_of(flow, order_id)

    shown = one(journey, "in-log")["record"]
    assert shown["value"] == "<script>\\x1b[2J\\u202e{\\xff"
    assert ["<script>\\x1b[2J\\u202e", "<script>\\x1b[2J\\u202e"] in shown["headers"]
    assert json.dumps(journey, ensure_ascii=False).isprintable()


def test_a_letter_on_hold_and_a_replayed_one_say_by_whom(flow: Flow) -> None:
    order_id = poisoned(flow)
    flow.sql("catalog", "UPDATE dead_letters SET held_by = 'ann', held_at = created_at")
    held = journey_of(flow, order_id)
    flow.sql("catalog", "UPDATE dead_letters SET resolution = 'discarded', resolved_by = 'kim'")

    discarded = journey_of(flow, order_id)

    assert one(held, "dead-letter")["mark"] == "hold"
    assert one(held, "dead-letter")["title"] == "On hold: a dead letter"
    assert " It was put on hold by ann, " in one(held, "dead-letter")["detail"]
    assert " It was discarded by kim." in one(discarded, "dead-letter")["detail"]


def test_the_letter_of_a_cancellation_keeps_the_pieces(flow: Flow) -> None:
    order_id = flow.place()
    flow.run()
    flow.cancel(order_id)
    with flow.databases.orders.begin() as connection:
        connection.execute(update(OutboxRow).where(OutboxRow.lane.is_not(None)).values(payload="{"))
    flow.run()

    journey = journey_of(flow, order_id)

    assert journey["state"] == "stopped"
    assert journey["title"] == "Cancelled, but not released. Stopped: a dead letter"
    assert kinds(journey)[-3:] == ["recorded", "in-log", "dead-letter"]
    assert one(journey, "dead-letter")["place"] == journey["entries"][-2]["place"]
