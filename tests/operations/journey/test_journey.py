"""`GET /admin/orders/<id>/journey`: where an order was, in the databases and in the log."""

import re
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.orm import Session

from orders_service.contract.events import OrderPlaced
from orders_service.database.columns import utc_now
from orders_service.events.brokers.port import Outgoing
from orders_service.events.tables import OutboxRow
from orders_service.orders import service
from orders_service.orders.order import Order
from tests.api.kit import assert_problem
from tests.flow_kit import BERLIN, Flow
from tests.operations.journey.kit import CONFIRMED, journey_of, kinds, one


def sent_again_unmarked(flow: Flow) -> None:
    """As when a relay ends after it has sent an event, and before it has marked the row."""
    with flow.databases.orders.begin() as connection:
        connection.execute(update(OutboxRow).values(lane=OutboxRow.topic, published_at=None))
    flow.orders_relay.step()


def test_a_confirmed_order_has_passed_every_station(flow: Flow) -> None:
    order_id = flow.place(qty=2)
    flow.run()

    journey = journey_of(flow, order_id)

    assert journey["order"]["orderId"] == order_id
    assert journey["state"] == "confirmed"
    assert re.fullmatch(r"Confirmed [0-9.]+ (ms|s) after it was placed", journey["title"])
    assert journey["subtitle"] == "2 pieces of CATALOG-001 for kim, 3,000 in all."
    assert journey["command"] == f"orders-service orders show {order_id} --journey"
    assert kinds(journey) == CONFIRMED
    on_ruler = [entry["kind"] for entry in journey["entries"] if entry["onRuler"]]
    assert on_ruler == ["placed", "in-log", "reserved", "answer-in-log", "confirmed"]
    times = [entry["at"] for entry in journey["entries"]]
    assert times == sorted(times)
    assert [entry["gap"] for entry in journey["entries"][:2]] == [None, "same transaction"]
    assert [entry["digits"] for entry in journey["entries"]] == [6, 6, 3, 6, 6, 3, 6]


def test_the_records_are_shown_with_their_places(flow: Flow) -> None:
    order_id = flow.place(qty=2)
    flow.run()
    placed, answer = flow.records(flow.settings.catalog_topic), flow.records(flow.settings.stock_topic)

    journey = journey_of(flow, order_id)

    assert one(journey, "in-log")["place"] == str(placed[0])
    assert one(journey, "answer-in-log")["place"] == str(answer[0])
    record = one(journey, "in-log")["record"]
    assert record["key"] == BERLIN
    assert dict(record["headers"])["ce_subject"] == order_id
    assert f'"orderId":"{order_id}"' in record["value"]
    assert dict(one(journey, "recorded")["facts"])["ce_id"] == dict(record["headers"])["ce_id"]


def test_a_rejected_order_says_why(flow: Flow) -> None:
    order_id = flow.place(qty=1000)
    flow.run()

    journey = journey_of(flow, order_id)

    assert journey["state"] == "rejected"
    assert journey["title"].endswith(" after it was placed: not enough in stock (insufficient-stock)")
    assert kinds(journey)[3:] == ["rejected", "answer-recorded", "answer-in-log", "order-rejected"]
    assert (
        one(journey, "rejected")["detail"]
        == "No piece was set aside: not enough in stock (insufficient-stock)."
    )
    assert one(journey, "order-rejected")["mark"] == "rejected"


def test_an_order_that_was_cancelled_after_its_confirmation_has_two_events(flow: Flow) -> None:
    order_id = flow.place()
    flow.run()
    flow.cancel(order_id)
    flow.run()

    journey = journey_of(flow, order_id)

    assert journey["state"] == "cancelled"
    assert kinds(journey) == [*CONFIRMED, "cancelled", "recorded", "in-log", "released"]
    confirmed = one(journey, "confirmed")
    assert confirmed["at"] is None
    assert "Its time is not known" in confirmed["detail"]
    titles = [entry["title"] for entry in journey["entries"]][-3:]
    assert titles == ["Cancellation recorded", "Cancellation in the log", "Released"]


def test_an_order_that_was_cancelled_while_it_was_pending_is_released(flow: Flow) -> None:
    order_id = flow.place()
    flow.cancel(order_id)
    flow.run()

    journey = journey_of(flow, order_id)

    assert "confirmed" not in kinds(journey)
    assert one(journey, "released")["detail"] == "1 piece went back into stock."
    assert one(journey, "answer-in-log")["detail"].startswith("The order was cancelled by then")


def test_a_cancellation_that_comes_first_makes_the_order_void(flow: Flow) -> None:
    order_id = flow.place()
    flow.cancel(order_id)
    flow.run()
    cancelled = flow.records(flow.settings.catalog_topic)[-1]
    flow.sql("catalog", "DELETE FROM reservations")
    flow.send([Outgoing(cancelled.topic, cancelled.key, cancelled.value, cancelled.headers)])
    flow.stock_consumer.step()

    journey = journey_of(flow, order_id)

    assert one(journey, "void")["source"] == "catalog database, reservations"


def test_an_event_that_a_relay_sent_twice_is_a_repeat(flow: Flow) -> None:
    order_id = flow.place()
    flow.run()
    sent_again_unmarked(flow)
    flow.run()

    journey = journey_of(flow, order_id)

    again = [entry for entry in journey["entries"] if entry["title"] == "In the log again"]
    assert [entry["kind"] for entry in again] == ["repeat"]
    assert again[0]["detail"].startswith(
        "The same event id. The relay ended before it had marked the row as sent, so the event was sent"
        " again. The reservation was there already: nothing changed. The relay marked the row as sent "
    )
    assert again[0]["place"] == str(flow.records(flow.settings.catalog_topic)[1])
    assert journey["subtitle"].endswith(" It was sent twice; the second time changed nothing.")
    assert not again[0]["onRuler"]


def test_an_order_that_was_resent_was_recorded_again(flow: Flow) -> None:
    order_id = flow.place()
    flow.orders_relay.step()
    with Session(flow.databases.orders) as session:
        service.resend(session, placed_before=utc_now(), outbox=flow.app.config["OUTBOX"])
    flow.run()

    journey = journey_of(flow, order_id)

    titles = [entry["title"] for entry in journey["entries"] if entry["kind"] == "repeat"]
    assert titles[:2] == ["Recorded again", "In the log again"]
    assert set(titles[2:]) == {"Answer recorded again", "Answer in the log again"}
    again = next(entry for entry in journey["entries"] if entry["title"] == "In the log again")
    assert again["detail"].startswith("The same event id. It was recorded again.")


def test_an_order_waits_for_the_relay(flow: Flow) -> None:
    order_id = flow.place()

    journey = journey_of(flow, order_id)

    assert journey["state"] == "pending"
    assert journey["title"].endswith(": not sent yet")
    assert kinds(journey) == ["placed", "recorded", "missing"]
    missing = one(journey, "missing")
    assert (missing["title"], missing["gap"], missing["at"]) == ("In the log", "not yet", None)
    assert "It waits in the outbox for orders-relay." in missing["detail"]


def test_an_order_waits_for_the_consumer(flow: Flow) -> None:
    order_id = flow.place()
    flow.orders_relay.step()

    journey = journey_of(flow, order_id)

    assert journey["title"].endswith(": not reserved yet")
    assert kinds(journey) == ["placed", "recorded", "in-log", "missing"]
    missing = one(journey, "missing")
    assert (missing["title"], missing["gap"]) == ("Reserved", "not yet")
    assert "for the consumer group catalog-stock, which has 1 record to read." in missing["detail"]


def test_an_order_waits_for_its_answer(flow: Flow) -> None:
    order_id = flow.place()
    flow.orders_relay.step()
    flow.stock_consumer.step()
    unsent = journey_of(flow, order_id)
    flow.catalog_relay.step()

    unread = journey_of(flow, order_id)

    assert unsent["title"].endswith(": its answer is not sent yet")
    assert unread["title"].endswith(": not confirmed yet")
    assert "for the consumer group orders-status" in one(unread, "missing")["detail"]


def test_an_event_that_was_set_aside_has_stopped_the_order(flow: Flow) -> None:
    order_id = flow.place()
    with flow.databases.orders.begin() as connection:
        connection.execute(update(OutboxRow).values(lane=None, error="the record is too large"))

    journey = journey_of(flow, order_id)

    assert (journey["state"], journey["title"]) == ("stopped", "Stopped: the broker refused the event")
    missing = one(journey, "missing")
    assert missing["mark"] == "stopped"
    assert "orders-service outbox requeue --database orders --set-aside" in missing["detail"]


def test_an_outbox_row_that_was_deleted_is_explained(flow: Flow) -> None:
    order_id = flow.place()
    flow.run()
    flow.sql("orders", "DELETE FROM outbox")
    recent = journey_of(flow, order_id)
    with flow.databases.orders.begin() as connection:
        old = utc_now() - timedelta(days=20)
        connection.execute(update(Order).values(created_at=old))

    journey = journey_of(flow, order_id)

    assert "The outbox has no row of the event order.placed.v1" in one(recent, "missing")["detail"]
    recorded = next(entry for entry in journey["entries"] if entry["title"] == "Recorded")
    assert recorded["detail"] == "Deleted after 14 days: the outbox keeps a sent event no longer."
    assert recorded["mark"] == "missing"


def test_a_record_without_an_event_id_is_found_by_its_value(flow: Flow) -> None:
    """As the course's own service sends it."""
    order_id = flow.place()
    placed = OrderPlaced(order_id=order_id, product_id=BERLIN, qty=1)
    value = b'{"orderId":"%s","productId":"CATALOG-001","qty":1}' % placed.order_id.encode()
    flow.send([Outgoing(flow.settings.catalog_topic, BERLIN.encode(), value)])
    flow.stock_consumer.step()

    journey = journey_of(flow, order_id)

    assert one(journey, "in-log")["detail"].startswith("This record has no event id")


def test_a_record_that_seems_earlier_than_its_cause_stands_behind_it(flow: Flow) -> None:
    order_id = flow.place()
    flow.run()
    with flow.databases.orders.begin() as connection:
        ahead = utc_now() + timedelta(seconds=2)
        connection.execute(update(Order).values(created_at=ahead, updated_at=ahead))
        connection.execute(update(OutboxRow).values(created_at=ahead))

    journey = journey_of(flow, order_id)

    assert kinds(journey) == CONFIRMED
    assert one(journey, "in-log")["gap"] == "0 (clocks differ)"
    assert datetime.fromisoformat(one(journey, "in-log")["at"]) < ahead


def test_an_unknown_order_is_a_problem(flow: Flow) -> None:
    assert_problem(flow.api.get("/admin/orders/none/journey"), 404, "order-not-found")
