"""The metrics of the workers agree with the tables, whatever is delivered again or rolled back."""

import json
from typing import Any

from sqlalchemy import event, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from orders_service.contract import wire
from orders_service.contract.events import Reason
from orders_service.events.brokers.port import Outgoing
from orders_service.orders import answers
from orders_service.orders.order import Order, Status
from tests.flow_kit import BERLIN, STOCKHOLM, TOKYO, Flow
from tests.metrics.growth import Growth, value

ANSWERED, SECONDS = "orders_answered_total", "orders_answer_seconds"


def answered(flow: Flow) -> dict[tuple[str, str], int]:
    """The answered orders of the table, by status and reason."""
    by = Order.status, Order.reason
    with Session(flow.databases.orders) as session:
        rows = session.execute(select(*by, func.count()).where(Order.status != "PENDING").group_by(*by))
        return {(status, reason or ""): count for status, reason, count in rows}


def counted(growth: Growth) -> dict[tuple[str, str], float]:
    """The same, as the metrics counted it."""
    return {
        (status, reason): count
        for status in ("CONFIRMED", "REJECTED")
        for reason, count in growth.by(ANSWERED, "reason", status=status).items()
    }


def answer(order_id: str, reason: str) -> Outgoing:
    """A rejection by another catalog."""
    body = {"orderId": order_id, "productId": BERLIN, "qty": 1, "reason": reason}
    attributes = {"id": "x", "source": "/other", "specversion": "1.0", "type": "stock.rejected.v1"}
    headers = wire.write_headers(attributes | {"time": "2026-11-24T07:06:15Z", "subject": order_id}, None)
    return Outgoing("example-stock-topic", order_id.encode(), json.dumps(body).encode(), headers)


def test_the_numbers_of_ten_orders_agree_with_the_tables(flow: Flow) -> None:
    growth = Growth()
    for _ in range(7):
        flow.place(BERLIN)
    for product, qty in ((TOKYO, 1000), (STOCKHOLM, 1000), ("CATALOG-404", 1)):
        flow.place(product, qty)
    flow.send([Outgoing("example-catalog-topic", b"k", b"poison")])

    flow.run()

    outcomes = {
        ("CONFIRMED", ""): 7,
        ("REJECTED", "insufficient-stock"): 2,
        ("REJECTED", "unknown-product"): 1,
    }
    assert counted(growth) == answered(flow) == outcomes
    assert growth.by(f"{SECONDS}_count", "status") == {"CONFIRMED": 7, "REJECTED": 3}
    events, records = "orders_relay_events_total", "orders_consumer_records_total"
    assert growth.by(events, "outcome", lane="example-catalog-topic") == {"acknowledged": 10}
    assert growth.by(events, "outcome", lane="example-stock-topic") == {"acknowledged": 10}
    assert [len(flow.outbox(name)) for name in ("orders", "catalog")] == [10, 10]
    assert growth.by(records, "outcome", group="catalog-stock") == {"applied": 10, "dead-letter": 1}
    assert growth.by(records, "outcome", group="orders-status") == {"applied": 10}
    assert growth.by("orders_dead_letters_total", "reason", database="catalog") == {"unreadable": 1}
    assert len(flow.dead_letters()) == 1


def test_answers_that_come_again_count_once(flow: Flow) -> None:
    growth = Growth()
    flow.place(BERLIN)
    flow.place(BERLIN, 1000)
    flow.run()

    flow.redeliver_everything()
    flow.run()

    assert counted(growth) == answered(flow) == {("CONFIRMED", ""): 1, ("REJECTED", "insufficient-stock"): 1}
    assert growth.by(f"{SECONDS}_count", "status") == {"CONFIRMED": 1, "REJECTED": 1}


def test_an_answer_to_a_cancelled_order_counts_as_none(flow: Flow) -> None:
    growth, order = Growth(), flow.place(BERLIN)
    flow.cancel(order)

    flow.run()

    assert counted(growth) == {}
    assert growth.by(f"{SECONDS}_count", "status") == {}


def test_answers_whose_transaction_is_repeated_count_once(flow: Flow) -> None:
    growth, order = Growth(), flow.place(BERLIN)
    failed: list[bool] = []
    for command in ("orders-relay", "stock-consumer", "catalog-relay"):
        flow.by_command[command].step()

    def fail_once(_: Any) -> None:
        if not failed:
            failed.append(True)
            raise OperationalError("COMMIT", {}, Exception(1213, "Deadlock found when trying to get lock"))

    event.listen(flow.status_consumer._sessions.kw["bind"], "commit", fail_once)  # type: ignore[attr-defined]
    flow.run()

    assert failed
    assert flow.status(order) == "CONFIRMED"
    assert counted(growth) == {("CONFIRMED", ""): 1}
    assert growth.of(f"{SECONDS}_count", status="CONFIRMED") == 1


def test_of_a_long_batch_a_sample_is_measured(flow: Flow) -> None:
    growth = Growth()
    for _ in range(answers.MEASURED + 5):
        flow.place(BERLIN)
    for command in ("orders-relay", "stock-consumer", "catalog-relay", "status-consumer"):
        flow.by_command[command].step()

    assert counted(growth) == {("CONFIRMED", ""): answers.MEASURED + 5}
    assert growth.of(f"{SECONDS}_count", status="CONFIRMED") == answers.MEASURED
    assert 0 < growth.of(f"{SECONDS}_sum", status="CONFIRMED") < 120 * answers.MEASURED


def test_reasons_of_another_catalog_share_one_label(flow: Flow) -> None:
    growth, orders = Growth(), [flow.place(BERLIN) for _ in range(30)]
    flow.send([answer(order, f"reason number {n}") for n, order in enumerate(orders)])

    while flow.status_consumer.step():
        pass

    assert counted(growth) == {("REJECTED", "other"): 30}
    assert len(answered(flow)) == 30


def test_every_known_answer_begins_at_0() -> None:
    known = [(Status.CONFIRMED, ""), *((Status.REJECTED, reason) for reason in (*Reason, "other"))]

    assert all(value(ANSWERED, status=status, reason=reason) is not None for status, reason in known)
