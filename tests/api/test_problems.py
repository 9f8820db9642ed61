"""Every answer that is not a good one is problem details, whoever finds the fault."""

import pytest
from sqlalchemy import event

from tests.api.kit import ORDER, ORDERS, Api, assert_nothing_written, assert_problem, member

PATHS = {
    ORDERS: {"GET", "HEAD", "OPTIONS", "POST"},
    f"{ORDERS}/x": {"GET", "HEAD", "OPTIONS"},
    f"{ORDERS}/x/cancel": {"POST", "OPTIONS"},
    "/catalog-service/catalogs": {"GET", "HEAD", "OPTIONS"},
    "/catalog-service/catalogs/x": {"GET", "HEAD", "OPTIONS"},
    "/product-service/products": {"GET", "HEAD", "OPTIONS"},
    "/product-service/products/x": {"GET", "HEAD", "OPTIONS"},
    "/order-service/health_check": {"GET", "HEAD", "OPTIONS"},
    "/catalog-service/health-check": {"GET", "HEAD", "OPTIONS"},
    "/livez": {"GET", "HEAD", "OPTIONS"},
    "/readyz": {"GET", "HEAD", "OPTIONS"},
    "/actuator/health": {"GET", "HEAD", "OPTIONS"},
}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "BREW", "PROPFIND")


@pytest.mark.parametrize("path", PATHS)
def test_another_method_is_refused_with_those_that_are_allowed(api: Api, path: str) -> None:
    for method in set(METHODS) - PATHS[path]:
        response = api.client.open(path, method=method)

        assert_problem(response, 405, "method-not-allowed")
        assert set(response.headers["Allow"].split(", ")) == PATHS[path]
    assert_nothing_written(api)


@pytest.mark.parametrize("path", PATHS)
def test_options_tells_what_is_allowed(api: Api, path: str) -> None:
    response = api.client.options(path)

    assert response.status_code == 200
    assert set(response.headers["Allow"].split(", ")) == PATHS[path]
    assert response.data == b""


@pytest.mark.parametrize("path", [ORDERS, "/catalog-service/catalogs", "/livez", "/readyz"])
def test_head_is_get_without_a_body(api: Api, path: str) -> None:
    api.placed()
    expected = api.get(path)

    response = api.client.head(path)

    assert (response.status_code, response.data) == (200, b"")
    assert response.headers["Content-Length"] == expected.headers["Content-Length"]
    assert response.content_type == expected.content_type


@pytest.mark.parametrize(
    "path",
    [
        "/orders",
        "/order-service",
        "/order-service/",
        "/order-service/kim",
        "/order-service/kim/order",
        "/order-service/kim/ORDERS",
        "/order-service//orders",
        "/order-service/kim//orders",
        "/order-service/kim/orders//x",
        "/order-service/kim/orders/x/cancel/y",
        "/order-service/kim/orders/x/Cancel",
        "/order-service/kim%2Forders/x/orders",
        "/ORDER-SERVICE/kim/orders",
        "/order_service/kim/orders",
        "/catalog-service/catalog",
        "/health_check",
        "/static/x",
        "/.env",
        "/%2e%2e/etc/passwd",
        "/김",
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_is_not_found(api: Api, path: str, method: str) -> None:
    response = api.client.open(path, method=method)

    assert_problem(response, 404, "not-found")
    assert_nothing_written(api)


def test_head_of_an_unknown_path_has_the_status_and_no_body(api: Api) -> None:
    response = api.client.head("/nowhere")

    assert (response.status_code, response.data) == (404, b"")
    assert response.content_type == "application/problem+json"


@pytest.mark.parametrize(
    "path", [ORDERS, "/catalog-service/catalogs", "/livez", "/order-service/health_check"]
)
def test_a_slash_at_the_end_changes_nothing_and_redirects_nobody(api: Api, path: str) -> None:
    api.placed()

    response = api.get(f"{path}/")

    assert (response.status_code, response.data) == (200, api.get(path).data)


def test_an_order_is_placed_with_a_slash_at_the_end(api: Api) -> None:
    response = api.client.post(f"{ORDERS}/", json=ORDER)

    assert response.status_code == 201


@pytest.mark.parametrize(
    "query", ["Status=PENDING", "limt=1", "x=%FF", "%00", "x" * 5000, "limit=1&qty=5", "LIMIT=1"]
)
@pytest.mark.parametrize("path", [ORDERS, "/catalog-service/catalogs"])
def test_a_parameter_that_a_list_does_not_have_is_refused(api: Api, path: str, query: str) -> None:
    response = api.get(f"{path}?{query}")

    assert_problem(response, 400, "unknown-parameter")
    assert list(member(response, "parameters"))[:2] == ["limit", "after"]
    assert len(response.text) < 600


@pytest.mark.parametrize("path", [ORDERS, "/catalog-service/catalogs"])
def test_a_parameter_that_is_given_twice_is_refused(api: Api, path: str) -> None:
    response = api.get(f"{path}?limit=1&limit=2")

    assert_problem(response, 400, "bad-request")


@pytest.mark.parametrize("path", [f"{ORDERS}/x", "/catalog-service/catalogs/CATALOG-001"])
def test_where_there_is_no_parameter_every_one_is_refused(api: Api, path: str) -> None:
    response = api.get(f"{path}?limit=1")

    assert_problem(response, 400, "unknown-parameter")
    assert member(response, "parameters") == []
    assert "It accepts no parameters." in str(member(response, "detail"))


def test_an_order_with_a_parameter_is_not_placed(api: Api) -> None:
    response = api.client.post(f"{ORDERS}?qty=5", json=ORDER)

    assert_problem(response, 400, "unknown-parameter")
    assert_nothing_written(api)


@pytest.mark.parametrize("path", [ORDERS, "/livez", "/readyz", "/metrics", "/order-service/health-check"])
def test_an_empty_query_is_none_and_a_probe_may_send_what_it_likes(api: Api, path: str) -> None:
    query = "" if path == ORDERS else "t=1"

    assert api.get(f"{path}?{query}").status_code == 200


def test_a_fault_of_ours_is_logged_once_and_told_without_details(
    own_api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    def on_query(*_: object) -> None:
        raise ZeroDivisionError("a secret")

    for engine in own_api.orders_engines:
        event.listen(engine, "before_cursor_execute", on_query)

    responses = [own_api.get(ORDERS), own_api.place(), own_api.cancel("x")]

    assert [record.exc_info is not None for record in caplog.records] == [True] * 3
    for response in responses:
        assert_problem(response, 500, "internal-server-error")
        assert "secret" not in response.text
    for engine in own_api.orders_engines:
        event.remove(engine, "before_cursor_execute", on_query)
    assert own_api.get(ORDERS).json == []


def test_problem_details_have_their_members_and_no_more(api: Api) -> None:
    response = api.get("/nowhere")

    assert list(response.json or {}) == ["type", "title", "status", "detail", "instance"]
    assert member(response, "title") == "Not Found"


def test_what_a_client_sent_is_not_told_back_as_html(api: Api) -> None:
    response = api.get("/catalog-service/catalogs/%3Cscript%3Ealert(1)%3C%2Fscript")

    assert response.mimetype == "application/problem+json"
