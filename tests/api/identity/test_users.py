"""Users see and change their own orders, and no others."""

import pytest

from orders_service.orders.order import Status
from tests.api.identity.kit import Client, assert_unauthorized, bearer, token
from tests.api.kit import ORDER, Api, assert_problem, member


def of(secured: Api, user: str, scope: str = "orders:read orders:write") -> Client:
    """A client with a token of this user's."""
    return Client(secured, bearer(token(sub=user, scope=scope)))


def test_users_place_list_show_and_cancel_their_own_orders(secured: Api) -> None:
    kim, lee = of(secured, "kim"), of(secured, "lee")
    placed = [member(kim.place("kim"), "orderId"), member(lee.place("lee"), "orderId")]

    lists = [kim.get().json or [], lee.get("/order-service/lee/orders").json or []]
    cancelled = secured.client.post(f"/order-service/kim/orders/{placed[0]}/cancel", headers=kim.headers)

    assert [[order["orderId"] for order in orders] for orders in lists] == [[placed[0]], [placed[1]]]
    assert cancelled.status_code == 200
    assert secured.statuses() == [Status.CANCELLED, Status.PENDING]


def test_another_users_order_is_not_found_under_ones_own_path(secured: Api) -> None:
    order_id = member(of(secured, "kim").place("kim"), "orderId")
    lee = of(secured, "lee")

    shown = lee.get(f"/order-service/lee/orders/{order_id}")
    cancelled = secured.client.post(f"/order-service/lee/orders/{order_id}/cancel", headers=lee.headers)
    listed = lee.get(f"/order-service/lee/orders?after={order_id}")

    for response in (shown, cancelled):
        assert_problem(response, 404, "order-not-found")
    assert_problem(listed, 400, "unknown-after")
    assert secured.statuses() == [Status.PENDING]


def test_the_answer_does_not_say_whether_another_user_exists(secured: Api) -> None:
    of(secured, "kim").place("kim")

    answers = [of(secured, "lee").get(f"/order-service/{user}/orders") for user in ("kim", "nobody")]

    told = [dict(answer.json or {}, instance="") for answer in answers]
    assert told[0] == told[1]


def test_an_administrator_may_use_every_user_within_its_other_scopes(secured: Api) -> None:
    order_id = member(of(secured, "kim").place("kim"), "orderId")
    reader = of(secured, "support", "orders:read orders:admin")

    assert reader.get().status_code == 200
    assert reader.get(f"/order-service/kim/orders/{order_id}").status_code == 200
    refused = reader.place("kim")
    assert_problem(refused, 403, "insufficient-scope")
    assert "The client has orders:admin and orders:read." in (refused.json or {})["detail"]
    assert of(secured, "support", "orders:write orders:admin").place("lee").status_code == 201
    assert [order.user_id for order in secured.orders()] == ["kim", "lee"]


@pytest.mark.parametrize("user", ["김철수", "a b", "100%", "kim@example.com", "auth0|5f7", "😀" * 255])
def test_any_user_id_works_in_a_token(secured: Api, user: str) -> None:
    response = of(secured, user).place(user.replace("%", "%25"))

    assert response.status_code == 201
    assert [order.user_id for order in secured.orders()] == [user]


def test_the_checks_come_in_the_order_of_the_contract(secured: Api) -> None:
    kim = of(secured, "kim").headers
    bad = {"data": "{", "content_type": "text/plain"}
    path = "/order-service/kim/orders"

    unauthorized = secured.client.post(f"{path}?x=1", **bad)
    forbidden = secured.client.post("/order-service/lee/orders?x=1", headers=kim, **bad)
    ambiguous = secured.client.post(f"{path}?x=1", headers=kim, **bad)
    wrong_type = secured.client.post(path, headers=kim, **bad)
    wrong_body = secured.client.post(path, headers=kim, data="{", content_type="application/json")
    wrong_field = secured.client.post(path, headers=kim, json=ORDER | {"qty": 0})

    statuses = [
        response.status_code
        for response in (unauthorized, forbidden, ambiguous, wrong_type, wrong_body, wrong_field)
    ]
    assert statuses == [401, 403, 400, 415, 400, 422]


def test_an_address_that_does_not_exist_is_not_found_without_a_token(secured: Api) -> None:
    assert_problem(secured.get("/nowhere"), 404, "not-found")
    assert_problem(secured.client.delete("/order-service/kim/orders"), 405, "method-not-allowed")


def test_the_open_addresses_need_no_token(secured: Api) -> None:
    for path in ("/livez", "/readyz", "/order-service/health_check", "/catalog-service/health-check"):
        assert Client(secured, bearer("nonsense")).get(path).status_code == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_may_be_written_in_any_case(secured: Api, scheme: str) -> None:
    assert Client(secured, {"Authorization": f"{scheme} {token()}"}).get().status_code == 200


def test_a_request_without_a_token_is_told_how_to_send_one(secured: Api) -> None:
    for headers in ({}, {"Authorization": "Basic a2ltOng="}, {"X-Api-Key": token()}):
        assert_unauthorized(Client(secured, headers).get(), detail="`Bearer`, a space, and", sent=False)


def test_a_second_bearer_is_named_as_the_mistake(secured: Api) -> None:
    client = Client(secured, {"Authorization": f"Bearer Bearer {token()}"})

    assert_unauthorized(client.get(), detail="one token after `Bearer`")


def test_a_token_in_the_address_is_not_looked_at(secured: Api) -> None:
    response = secured.get(f"/order-service/kim/orders?access_token={token()}")

    assert_unauthorized(response, sent=False)


def test_two_tokens_are_none(secured: Api) -> None:
    response = secured.client.get(
        "/order-service/kim/orders", headers=[("Authorization", f"Bearer {token()}")] * 2
    )

    assert response.status_code == 401
