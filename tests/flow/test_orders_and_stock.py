"""An order takes stock, or is refused; whatever is delivered twice or late changes nothing."""

import itertools
import json

import pytest

from orders_service.contract import wire
from orders_service.events.brokers.port import Outgoing
from tests.flow_kit import BERLIN, STOCKHOLM, TOKYO, Flow


def test_an_order_takes_stock_and_is_confirmed(flow: Flow) -> None:
    order = flow.place(BERLIN, 20)

    flow.run()

    assert flow.status(order) == "CONFIRMED"
    assert flow.stock(BERLIN) == 80
    flow.assert_stock_adds_up()


def test_an_order_for_more_than_there_is_is_rejected(flow: Flow) -> None:
    order = flow.place(BERLIN, 101)

    flow.run()

    assert flow.order(order)["status"] == "REJECTED"
    assert flow.order(order)["reason"] == "insufficient-stock"
    assert flow.stock(BERLIN) == 100


def test_an_order_for_an_unknown_product_is_rejected(flow: Flow) -> None:
    order = flow.place("catalog-001")

    flow.run()

    assert flow.order(order)["reason"] == "unknown-product"


def test_the_last_pieces_go_to_who_is_first_in_the_log(flow: Flow) -> None:
    orders = [flow.place(TOKYO, 40) for _ in range(4)]

    flow.run()

    assert [flow.status(order) for order in orders] == ["CONFIRMED", "CONFIRMED", "REJECTED", "REJECTED"]
    assert flow.stock(TOKYO) == 30
    flow.assert_stock_adds_up()


def test_another_price_is_accepted_unless_prices_are_checked(flow: Flow) -> None:
    order = flow.place(BERLIN, price=1)

    flow.run()

    assert flow.status(order) == "CONFIRMED"


def test_everything_delivered_again_changes_nothing(flow: Flow) -> None:
    kept, refused = flow.place(BERLIN, 3), flow.place(BERLIN, 500)
    cancelled = flow.place(STOCKHOLM, 5)
    flow.cancel(cancelled)
    flow.run()

    flow.redeliver_everything()
    flow.redeliver_everything()
    flow.run()

    assert [flow.status(o) for o in (kept, refused, cancelled)] == ["CONFIRMED", "REJECTED", "CANCELLED"]
    assert (flow.stock(BERLIN), flow.stock(STOCKHOLM)) == (97, 120)
    flow.assert_stock_adds_up()


@pytest.mark.parametrize("arrivals", sorted(set(itertools.permutations("ppcc"))), ids="".join)
def test_placed_and_cancelled_in_any_order_twice_leave_the_stock_as_before(
    flow: Flow, arrivals: tuple[str, ...]
) -> None:
    flow.cancel(flow.place(BERLIN, 7))
    flow.orders_relay.step()
    flow.orders_relay.step()
    placed, cancelled = flow.records(flow.settings.catalog_topic)
    flow.sql("orders", "DELETE FROM outbox")
    again = {"p": placed, "c": cancelled}

    flow.send(
        [Outgoing("example-catalog-topic", r.key, r.value, r.headers) for r in map(again.get, arrivals) if r]
    )
    flow.run()

    assert flow.stock(BERLIN) == 100
    flow.assert_stock_adds_up()


def test_a_cancelled_order_gives_its_pieces_back(flow: Flow) -> None:
    order = flow.place(BERLIN, 4)
    flow.run()
    assert flow.stock(BERLIN) == 96

    flow.cancel(order)
    flow.run()

    assert flow.stock(BERLIN) == 100
    assert flow.status(order) == "CANCELLED"


def test_an_answer_for_an_order_cancelled_meanwhile_does_not_confirm_it(flow: Flow) -> None:
    order = flow.place(BERLIN, 4)
    flow.orders_relay.step()
    flow.stock_consumer.step()
    flow.cancel(order)

    flow.run()

    assert flow.status(order) == "CANCELLED"
    assert flow.stock(BERLIN) == 100


def test_a_lost_answer_comes_again_when_the_order_is_sent_again(flow: Flow) -> None:
    order = flow.place(BERLIN, 4)
    flow.orders_relay.step()
    flow.stock_consumer.step()
    flow.sql("catalog", "DELETE FROM outbox")
    flow.run()
    assert flow.status(order) == "PENDING"

    flow.redeliver_everything()
    flow.run()

    assert flow.status(order) == "CONFIRMED"
    assert flow.stock(BERLIN) == 96


def test_the_courses_own_record_takes_stock(flow: Flow) -> None:
    value = {
        "productId": BERLIN,
        "qty": 20,
        "unitPrice": 1500,
        "totalPrice": 30000,
        "orderId": "a",
        "userId": "u1",
    }

    flow.send([Outgoing("example-catalog-topic", None, json.dumps(value).encode())])
    flow.run()

    assert flow.stock(BERLIN) == 80
    assert flow.dead_letters() == []


def test_a_retry_with_the_same_key_is_one_order_and_one_event(flow: Flow) -> None:
    first, second = flow.place(BERLIN, 2, key="k"), flow.place(BERLIN, 2, key="k")

    flow.run()

    assert first == second
    assert len(flow.outbox()) == 1
    assert flow.stock(BERLIN) == 98


def test_the_trace_of_a_request_reaches_the_answer(flow: Flow) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    flow.api.post(
        "/order-service/kim/orders",
        json={"productId": BERLIN, "qty": 1, "unitPrice": 1500},
        headers={"traceparent": traceparent},
    )
    flow.run()

    answers = flow.records(flow.settings.stock_topic)
    assert [wire.header(answer.headers, "traceparent") for answer in answers] == [traceparent]
