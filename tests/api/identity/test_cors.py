"""Pages of other origins may call the API only if CORS_ORIGINS has their origin."""

from collections.abc import Iterator

import pytest
from werkzeug.test import TestResponse

from tests.api.identity.kit import WITH_SECRET, bearer, token
from tests.api.kit import ORDERS, Api

SHOP = "https://shop.example"
OTHERS = ("https://shop.example.evil", "http://shop.example", "https://shop.example:8443", "null", "")


@pytest.fixture
def shared(secured: Api) -> Iterator[Api]:
    """An API that two origins may call."""
    with Api.on(secured.databases, **WITH_SECRET, CORS_ORIGINS=f"{SHOP} http://127.0.0.1:3000") as own:
        yield own


def preflight(api: Api, origin: str, path: str = ORDERS) -> TestResponse:
    asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    return api.client.options(path, headers=asked | {"Access-Control-Request-Headers": "authorization"})


@pytest.mark.parametrize("origin", [SHOP, "http://127.0.0.1:3000"])
def test_a_browser_may_ask_before_it_has_a_token(shared: Api, origin: str) -> None:
    response = preflight(shared, origin)

    assert (response.status_code, response.data) == (204, b"")
    assert response.headers["Access-Control-Allow-Origin"] == origin
    assert "POST" in response.headers["Access-Control-Allow-Methods"]
    assert {"Authorization", "Idempotency-Key", "Content-Type"} <= set(
        response.headers["Access-Control-Allow-Headers"].split(", ")
    )
    assert response.headers["Vary"] == "Origin"
    assert "Access-Control-Allow-Credentials" not in response.headers


def test_a_page_may_read_the_answers_and_their_headers(shared: Api) -> None:
    for headers, status in ((bearer(token()), 200), ({}, 401)):
        response = shared.client.get(ORDERS, headers=headers | {"Origin": SHOP})

        assert response.status_code == status
        assert response.headers["Access-Control-Allow-Origin"] == SHOP
        assert {"Location", "Link", "WWW-Authenticate", "Retry-After"} <= set(
            response.headers["Access-Control-Expose-Headers"].split(", ")
        )


@pytest.mark.parametrize("origin", OTHERS)
def test_other_origins_get_no_permission(shared: Api, origin: str) -> None:
    asked = preflight(shared, origin)
    answered = shared.client.get(ORDERS, headers=bearer(token()) | {"Origin": origin})

    assert asked.status_code == 401
    for response in (asked, answered):
        assert "Access-Control-Allow-Origin" not in response.headers
        assert response.headers["Vary"] == "Origin"


def test_without_the_setting_there_is_no_cors(secured: Api) -> None:
    response = secured.client.get(ORDERS, headers=bearer(token()) | {"Origin": SHOP})

    assert not [name for name in response.headers if name[0].startswith(("Access-Control", "Vary"))]


def test_no_other_origin_may_use_the_addresses_of_operators(shared: Api) -> None:
    asked = preflight(shared, SHOP, "/admin/outbox/requeue")
    answered = shared.client.get("/admin/orders", headers=bearer(token()) | {"Origin": SHOP})

    for response in (asked, answered):
        assert "Access-Control-Allow-Origin" not in response.headers
