"""`/catalog-service/catalogs`: every product with its stock, read only. It has a second name."""

import pytest
from sqlalchemy import insert
from werkzeug.test import TestResponse

from orders_service.catalog.product import Product
from orders_service.database.columns import utc_now
from tests.api.kit import BERLIN, STOCKHOLM, TOKYO, Api, assert_problem, member

CATALOGS, PRODUCTS = "/catalog-service/catalogs", "/product-service/products"


def without_instance(response: TestResponse) -> object:
    """The JSON of an answer; of a problem, without the id of its request."""
    found = response.json
    return found if isinstance(found, list) else {k: v for k, v in (found or {}).items() if k != "instance"}


def test_the_courses_products_are_on_the_shelf(api: Api) -> None:
    response = api.get(CATALOGS)

    assert (response.status_code, response.content_type) == (200, "application/json")
    assert [
        (product["productId"], product["productName"], product["stock"], product["unitPrice"])
        for product in response.json or []
    ] == [(BERLIN, "Berlin", 100, 1500), (TOKYO, "Tokyo", 110, 1000), (STOCKHOLM, "Stockholm", 120, 2000)]


@pytest.mark.parametrize("number", range(3))
def test_a_product_is_shown_as_it_is_listed(api: Api, number: int) -> None:
    listed = (api.get(CATALOGS).json or [])[number]

    response = api.get(f"{CATALOGS}/{listed['productId']}")

    assert response.json == listed


def test_stock_is_shown_as_it_is_now(own_api: Api) -> None:
    with own_api.databases.catalog.begin() as connection:
        connection.exec_driver_sql("UPDATE catalog SET stock = 0 WHERE product_id = 'CATALOG-001'")

    response = own_api.get(f"{CATALOGS}/{BERLIN}")

    assert member(response, "stock") == 0


@pytest.mark.parametrize(
    "product_id", ["unknown", "catalog-001", "CATALOG-001%20", "C%C3%81TALOG-001", "%00", "%25", "x" * 1000]
)
def test_an_unknown_product_is_not_found(api: Api, product_id: str) -> None:
    response = api.get(f"{CATALOGS}/{product_id}")

    assert_problem(response, 404, "product-not-found")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", [CATALOGS, f"{CATALOGS}/{BERLIN}", PRODUCTS, f"{PRODUCTS}/{BERLIN}"])
def test_the_catalog_is_read_only(api: Api, method: str, path: str) -> None:
    response = api.client.open(path, method=method, json={"stock": 1000})

    assert_problem(response, 405, "method-not-allowed")


@pytest.mark.parametrize(
    "rest", ["", "?limit=2&order=desc", f"?after={BERLIN}", "?limt=1", f"/{TOKYO}", "/unknown", "/%2F"]
)
def test_both_names_of_the_catalog_answer_the_same(api: Api, rest: str) -> None:
    old, new = api.get(f"{CATALOGS}{rest}"), api.get(f"{PRODUCTS}{rest}")

    assert new.status_code == old.status_code
    assert without_instance(new) == without_instance(old)


def test_a_page_leads_to_the_next_one_under_the_same_name(api: Api) -> None:
    links = [api.get(f"{path}?limit=1").headers["Link"] for path in (CATALOGS, PRODUCTS)]

    assert links == [f'<{path}?limit=1&after={BERLIN}>; rel="next"' for path in (CATALOGS, PRODUCTS)]


def test_a_large_catalog_is_listed_in_pages(own_api: Api) -> None:
    ids = [f"P/{number}?&" for number in range(1200)]
    rows = [
        {"product_id": id_, "product_name": id_, "stock": 1, "unit_price": 1, "created_at": utc_now()}
        for id_ in ids
    ]
    with own_api.databases.catalog.begin() as connection:
        connection.execute(insert(Product), rows)

    pages, path = [], CATALOGS
    while path:
        response = own_api.get(path)
        pages.append([product["productId"] for product in response.json or []])
        path = response.headers.get("Link", "").partition(">")[0].lstrip("<")

    assert [len(page) for page in pages] == [1000, 203]
    assert [id_ for page in pages for id_ in page] == [BERLIN, TOKYO, STOCKHOLM, *ids]
    assert member(own_api.get(f"{CATALOGS}/P%2F7%3F%26"), "productId") == "P/7?&"


def test_after_an_unknown_product_nothing_can_come(api: Api) -> None:
    response = api.get(f"{CATALOGS}?after=unknown")

    assert_problem(response, 400, "unknown-after")


def test_the_newest_products_can_come_first(api: Api) -> None:
    first = api.get(f"{CATALOGS}?order=desc&limit=2")
    second = api.get(first.headers["Link"].partition(">")[0].lstrip("<"))

    assert [p["productId"] for p in (first.json or []) + (second.json or [])] == [STOCKHOLM, TOKYO, BERLIN]


def test_an_empty_catalog_is_an_empty_list(own_api: Api) -> None:
    with own_api.databases.catalog.begin() as connection:
        connection.exec_driver_sql("DELETE FROM catalog")

    response = own_api.get(CATALOGS)

    assert response.json == []
