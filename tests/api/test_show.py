"""`GET …/orders/{orderId}`: one order as it is now."""

from urllib.parse import quote

import pytest

from orders_service.orders.order import Status
from tests.api.kit import ORDERS, Api, assert_problem, member


def test_an_order_is_shown_as_it_was_placed(api: Api) -> None:
    placed = api.place(qty=2)

    response = api.get(placed.headers["Location"])

    assert (response.status_code, response.content_type) == (200, "application/json")
    assert response.json == placed.json | {"createdAt": member(response, "createdAt")}  # type: ignore[operator]


@pytest.mark.parametrize("status", Status)
def test_an_order_shows_its_status(api: Api, status: Status) -> None:
    order_id = api.placed(status=status)

    response = api.get(f"{ORDERS}/{order_id}")

    assert member(response, "status") == status
    assert "reason" not in (response.json or {})


def test_a_rejected_order_shows_why(api: Api) -> None:
    order_id = api.placed()
    api.reject(order_id, "unknown-product")

    response = api.get(f"{ORDERS}/{order_id}")

    assert (member(response, "status"), member(response, "reason")) == ("REJECTED", "unknown-product")


@pytest.mark.parametrize("user", ["lee", "KIM", "kim ", "kím"])
def test_anothers_order_is_not_found(api: Api, user: str) -> None:
    order_id = api.placed("kim")

    response = api.get(f"/order-service/{quote(user)}/orders/{order_id}")

    assert_problem(response, 404, "order-not-found")


@pytest.mark.parametrize("order_id", ["unknown", "%00", "%20", "%25", "김", "x" * 1000, "' or '1'='1"])
def test_an_unknown_order_is_not_found(api: Api, order_id: str) -> None:
    api.placed()

    response = api.get(f"{ORDERS}/{order_id}")

    assert_problem(response, 404, "order-not-found")


def test_an_id_in_capitals_is_another_id(api: Api) -> None:
    order_id = api.placed(key="k")

    response = api.get(f"{ORDERS}/{order_id.upper()}")

    assert_problem(response, 404, "order-not-found")


def test_whether_an_order_is_anothers_or_nobodys_is_not_told(api: Api) -> None:
    theirs, path, same_id = api.placed("kim"), "/order-service/lee/orders", {"X-Request-Id": "mine"}

    hidden = api.client.get(f"{path}/{theirs}", headers=same_id)
    unknown = api.client.get(f"{path}/x", headers=same_id)

    assert hidden.data.replace(theirs.encode(), b"x") == unknown.data
