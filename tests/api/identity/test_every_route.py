"""No request without the right token reads or writes a row: on every route of the API, also on new ones."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event
from werkzeug.routing import Rule

from orders_service.api.app import create_app
from orders_service.api.database import db
from orders_service.api.identity.access import ACCESS, OPEN, require_complete
from orders_service.api.serving.application import Application
from orders_service.settings import Settings
from tests.api.identity.kit import FromNow, bearer, claims, raw_token, token
from tests.api.kit import ORDER, Api, assert_problem
from tests.settings_kit import CATALOG_URL, ORDERS_URL

# An endpoint that is made open in `ACCESS` must be added here, too.
OPEN_ENDPOINTS = {
    *("health.live", "health.ready", "health.actuator"),
    *("health.order_service", "health.catalog_service", "health.product_service"),
    *("documents.home", "documents.docs", "documents.asset", "documents.openapi", "documents.asyncapi"),
    *("documents.schema", "documents.events", "documents.problems", "documents.problem"),
    *("ui.show", "ui.asset", "ui.without_slash"),
}
# An app that connects to no database: it only says which routes there are.
URLS = {"ORDERS_DATABASE_URL": ORDERS_URL, "CATALOG_DATABASE_URL": CATALOG_URL}
RULES = list(create_app(Settings.read(URLS)).url_map.iter_rules())
GUARDED = [rule for rule in RULES if ACCESS[rule.endpoint] is not OPEN]
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE", "TRACE")
MARK = "a-product-that-nobody-else-may-see"

# Headers that prove nothing. Each is refused with 401.
foreign_tokens = st.sampled_from(
    [
        token("another secret, which has more than 32 bytes, too", scope="orders:admin"),
        token(exp=FromNow(-60)),
        token(nbf=FromNow(7200), exp=FromNow(9000)),
        token(exp=None),
        token(sub=None),
        raw_token({"alg": "none"}, claims(scope="orders:admin"), b""),
        token(aud="billing"),
        f"{token()},{token()}",
        "ok_" + "0" * 48,
    ]
)
headers = st.one_of(
    st.none(),
    foreign_tokens.map("Bearer {}".format),
    foreign_tokens.map("bearer  {}".format),
    st.sampled_from(["", " ", "Bearer", "Bearer ", "Basic a2ltOng=", token(), f"Token {token()}", "null"]),
    st.text("abcXYZ019 ._-=,;:\"'\t\xe9", max_size=80),
)
users = st.sampled_from(["kim", "lee", "%2e", "%00", "kim%20", "x" * 256, "%F0%9F%98%80", "%ff"])
bodies = st.sampled_from([None, b"", b"{", b'{"productId":"x","qty":1,"unitPrice":1}', b"x" * 5000])


def path_of(rule: Rule, user: str, order_id: str) -> str:
    """An address of this route."""
    values = {"user_id": user, "order_id": order_id, "product_id": "CATALOG-001"}
    path = rule.rule
    for name in rule.arguments:
        path = path.replace(f"<{name}>", values.get(name, order_id))
        path = path.replace(f"<path:{name}>", values.get(name, order_id))
    return path


def own_methods(rule: Rule) -> list[str]:
    """The methods of this route. Flask answers OPTIONS for all routes of a path together."""
    return sorted((rule.methods or set()) - {"OPTIONS"})


@contextmanager
def statements(app: Flask) -> Iterator[list[str]]:
    """Every statement that the application sends to its databases."""
    sent: list[str] = []

    def note(_: object, __: object, statement: str, *___: object) -> None:
        sent.append(statement)

    with app.app_context():
        engines = [*db.engines.values(), *app.extensions["readiness"].engines.values()]
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        for engine in engines:
            event.remove(engine, "before_cursor_execute", note)


@pytest.fixture
def order_id(secured: Api) -> str:
    """An order of kim's."""
    response = secured.place(headers=bearer(token()), productId=MARK)
    assert response.status_code == 201
    return str((response.json or {})["orderId"])


def test_the_open_addresses_are_these() -> None:
    assert {rule.endpoint for rule in RULES if ACCESS[rule.endpoint] is OPEN} == OPEN_ENDPOINTS


def test_a_route_that_nobody_has_thought_of_cannot_be_served() -> None:
    app = Application("orders_service")
    app.add_url_rule("/order-service/export", "orders.export", lambda: "every order")

    with pytest.raises(RuntimeError, match=r"does not say who may call orders\.export"):
        require_complete(app)


@pytest.mark.parametrize("rule", GUARDED, ids=lambda rule: rule.endpoint)
def test_no_request_without_a_valid_token_reaches_a_database(secured: Api, order_id: str, rule: Rule) -> None:
    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(method=st.sampled_from(METHODS), header=headers, user=users, body=bodies, query=st.booleans())
    def ask(method: str, header: str | None, user: str, body: bytes | None, query: bool) -> None:
        path = path_of(rule, user, order_id) + ("?x=1" if query else "")
        sent = {} if header is None else {"Authorization": header}

        response = secured.client.open(path, method=method, headers=sent, data=body)

        allowed = rule.methods or ()
        assert response.status_code == 401 if method in allowed else response.status_code in (401, 405)
        assert MARK not in response.text
        assert order_id not in response.text

    with statements(secured.app) as sent:
        ask()

    assert sent == []
    assert [order.order_id for order in secured.orders()] == [order_id]


@pytest.mark.parametrize("rule", GUARDED, ids=lambda rule: rule.endpoint)
@pytest.mark.parametrize("scope", ["", "orders:read", "orders:write", "orders:admin", "orders:operate"])
def test_a_token_without_the_scope_reaches_no_database(
    secured: Api, order_id: str, rule: Rule, scope: str
) -> None:
    if ACCESS[rule.endpoint] == scope:
        return
    path = path_of(rule, "kim", order_id)

    with statements(secured.app) as sent:
        for method in own_methods(rule):
            response = secured.client.open(
                path, method=method, headers=bearer(token(scope=scope)), json=ORDER
            )

            assert response.status_code == 403
            if method != "HEAD":
                assert_problem(response, 403, "insufficient-scope")
            needed = ACCESS[rule.endpoint]
            assert response.headers["WWW-Authenticate"] == (
                f'Bearer realm="orders", error="insufficient_scope", scope="{needed}"'
            )

    assert sent == []


@pytest.mark.parametrize(
    "rule", [rule for rule in GUARDED if "user_id" in rule.arguments], ids=lambda rule: rule.endpoint
)
@pytest.mark.parametrize("user", ["kim", "nobody", "LEE", "lee%20", "x" * 256, "%00"])
def test_a_token_reaches_no_other_users_rows(secured: Api, order_id: str, rule: Rule, user: str) -> None:
    path = path_of(rule, user, order_id)

    with statements(secured.app) as sent:
        for method in own_methods(rule):
            response = secured.client.open(path, method=method, headers=bearer(token(sub="lee")), json=ORDER)

            assert response.status_code == 403
            if method != "HEAD":
                assert_problem(response, 403, "not-your-orders")

    assert sent == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.endpoint)
def test_with_no_authentication_every_route_is_open(api: Api, rule: Rule) -> None:
    response = api.client.get(path_of(rule, "kim", "no-order"), headers={"Authorization": "Bearer nonsense"})

    assert response.status_code not in (401, 403)
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    is_document = rule.endpoint.startswith(("documents.", "ui."))  # It is the same for everybody.
    assert is_document or response.headers["Cache-Control"] == "no-store"
