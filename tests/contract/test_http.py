"""HTTP as others rely on it, to the byte. A change here is a change of the contract."""

import re

import pytest
from sqlalchemy.orm import Session

from orders_service import resources
from orders_service.api.responses import format_instant
from orders_service.events.tables import OutboxRow
from orders_service.orders.order import Order
from tests.flow_kit import BERLIN, Flow

UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
CREATED_AT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00"

PLACED = (
    '{"productId":"CATALOG-001","qty":2,"unitPrice":1500,"totalPrice":3000,"orderId":"<id>",'
    '"status":"PENDING"}\n'
)
SHOWN = (
    '{"productId":"CATALOG-001","qty":2,"unitPrice":1500,"totalPrice":3000,"createdAt":"<time>",'
    '"orderId":"<id>","status":"CONFIRMED"}\n'
)
REJECTED = (
    '{"productId":"CATALOG-001","qty":101,"unitPrice":1500,"totalPrice":151500,"createdAt":"<time>",'
    '"orderId":"<id>","status":"REJECTED","reason":"insufficient-stock"}\n'
)
CATALOG = (
    '[{"productId":"CATALOG-001","productName":"Berlin","unitPrice":1500,"stock":100,"createdAt":"<time>"},'
    '{"productId":"CATALOG-002","productName":"Tokyo","unitPrice":1000,"stock":110,"createdAt":"<time>"},'
    '{"productId":"CATALOG-003","productName":"Stockholm","unitPrice":2000,"stock":120,"createdAt":"<time>"}]\n'
)
WRONG = (
    '{"type":"/problems/invalid-fields","title":"The request has invalid fields","status":422,'
    '"detail":"qty must be an integer from 1 to 10000","instance":"/requests/mine",'
    '"errors":[{"field":"qty","detail":"must be an integer from 1 to 10000","pointer":"/qty"}]}\n'
)


def golden(text: str) -> str:
    """*text* with its ids and instants named instead of told."""
    return re.sub(CREATED_AT, "<time>", re.sub(UUID, "<id>", text))


def test_a_placed_order(flow: Flow) -> None:
    response = flow.api.post(
        "/order-service/kim/orders", json={"productId": BERLIN, "qty": 2, "unitPrice": 1500}
    )

    assert (response.status_code, golden(response.text)) == (201, PLACED)
    assert golden(response.headers["Location"]) == "/order-service/kim/orders/<id>"


def test_a_shown_and_a_listed_order(flow: Flow) -> None:
    order_id = flow.place(qty=2)
    flow.run()

    shown = flow.api.get(f"/order-service/kim/orders/{order_id}").text
    listed = flow.api.get("/order-service/kim/orders").text

    assert golden(shown) == SHOWN
    assert listed == f"[{shown.rstrip()}]\n"


def test_a_rejected_order_says_why(flow: Flow) -> None:
    order_id = flow.place(qty=101)
    flow.run()

    shown = flow.api.get(f"/order-service/kim/orders/{order_id}").text

    assert golden(shown) == REJECTED


def test_a_cancelled_order_is_the_order_with_another_status(flow: Flow) -> None:
    order_id = flow.place(qty=2)

    response = flow.api.post(f"/order-service/kim/orders/{order_id}/cancel")

    assert golden(response.text) == SHOWN.replace("CONFIRMED", "CANCELLED")


def test_the_seed_catalog(flow: Flow) -> None:
    response = flow.api.get("/catalog-service/catalogs")

    assert golden(response.text) == CATALOG


def test_a_refused_order(flow: Flow) -> None:
    order = {"productId": "x", "qty": 0, "unitPrice": 1}
    response = flow.api.post("/order-service/kim/orders", json=order, headers={"X-Request-Id": "mine"})

    assert (response.content_type, response.text) == ("application/problem+json", WRONG)


def test_text_is_written_as_it_is(flow: Flow) -> None:
    flow.place("서울", price=1)

    response = flow.api.get("/order-service/kim/orders")

    assert '"productId":"서울"' in response.text


@pytest.mark.parametrize("microseconds", [0, 999, 292_999, 999_999])
def test_created_at_has_milliseconds_cut_off_and_an_offset(flow: Flow, microseconds: int) -> None:
    order_id = flow.place()
    flow.sql("orders", f"UPDATE orders SET created_at = '2026-11-24 07:06:15.{microseconds:06}'")

    shown = flow.order(order_id)["createdAt"]

    assert shown == f"2026-11-24T07:06:15.{microseconds // 1000:03}+00:00"


def test_the_instant_of_an_order_is_the_same_everywhere(flow: Flow) -> None:
    order_id = flow.place()

    with Session(flow.databases.orders) as session:
        order, row = session.query(Order).one(), session.query(OutboxRow).one()
        assert flow.order(order_id)["createdAt"] == format_instant(order.created_at)
        assert 0 <= (row.created_at - order.created_at).total_seconds() < 1
        assert row.time == row.created_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@pytest.mark.parametrize("path", ["health_check", "health-check"])
def test_the_health_checks_say_the_courses_words(flow: Flow, path: str) -> None:
    texts = [flow.api.get(f"/{service}-service/{path}").text for service in ("order", "catalog")]

    assert texts == [
        "It's Working in Order Service on PORT 8000",
        "It's Working in Catalog Service on PORT 8000",
    ]


def test_the_sources_are_named_as_the_paths_are(flow: Flow) -> None:
    sources = (
        resources.outbox(flow.settings, "orders").source,
        resources.outbox(flow.settings, "catalog").source,
    )

    assert sources == ("/order-service", "/catalog-service")
