"""A list of orders uses one index for every filter, and reads a bounded number of rows, in a large table."""

from collections.abc import Iterator
from urllib.parse import quote

import pytest

from lab import Lab
from orders_service.api.pages import SCAN_FIRST, SCAN_MAX
from rig.databases import Databases, databases_in
from tests.api.kit import Api
from tests.database.plans import assert_indexed, counted, explained

pytestmark = pytest.mark.real

MANY, OF_ONE = 500_000, 100_000
SLICE = 50_000  # One statement must not take longer than the time-out of a read.
LARGE = "/order-service/large/orders"
SMALL = "/order-service/user-7/orders"  # 500 orders.
INSTANT = quote("2030-01-01T00:00:00+01:00")
FILTERS = {
    "none": "",
    "status": "status=REJECTED",
    "statuses": "status=PENDING,REJECTED",
    "every status": "status=PENDING,CONFIRMED,REJECTED,CANCELLED",
    "product": "productId=none",
    "after": f"createdAfter={INSTANT}",
    "before": f"createdBefore={INSTANT}",
    "all": f"status=PENDING&productId=none&createdBefore={INSTANT}",
}


@pytest.fixture(scope="module")
def grown(lab: Lab) -> Iterator[Api]:
    """An API on 500,000 orders of 1,000 users, and 100,000 of one more. One in 1000 is PENDING."""
    with databases_in(lab) as databases, Api.on(databases) as api:
        for first in range(1, MANY, SLICE):
            fill(databases, "CONCAT('user-', seq %% 1000)", first)
        for first in range(1, OF_ONE, SLICE):
            fill(databases, "'large'", first)
        with databases.orders.connect() as connection:
            connection.exec_driver_sql("ANALYZE TABLE orders").all()
        yield api


def fill(databases: Databases, user: str, first: int) -> None:
    """Insert SLICE orders of *user*, an expression, with the numbers from *first* on."""
    with databases.orders.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO orders (product_id, qty, unit_price, total_price, user_id, order_id, created_at,"
            f" status, version, updated_at) SELECT CONCAT('product-', seq %% 50), 1, 1, 1, {user},"
            f" CONCAT({user}, '-', seq), NOW(6), IF(seq %% 1000, 'CONFIRMED', 'PENDING'), 2, NOW(6)"
            f" FROM seq_{first}_to_{first + SLICE - 1}"
        )


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("filters", FILTERS.values(), ids=FILTERS)
@pytest.mark.parametrize("path", [LARGE, SMALL])
@pytest.mark.parametrize("limit", [20, 1000])
def test_every_list_uses_the_index_of_the_user(
    grown: Api, path: str, filters: str, order: str, limit: int
) -> None:
    middle = "large-50000" if path == LARGE else "user-7-250007"

    with explained() as plans:
        for after in ("", f"&after={middle}"):
            assert grown.get(f"{path}?limit={limit}&order={order}&{filters}{after}").status_code == 200

    assert_indexed(plans)
    lists = [plan for statement, plan in plans if "ORDER BY" in statement]
    starts = [plan for plan in lists if plan["select_type"] == "SUBQUERY"]
    assert {plan["key"] for plan in lists if plan not in starts} == {"ix_orders_user_id_id"}
    assert all((plan["type"], plan["key"]) == ("const", "uq_orders_order_id") for plan in starts)


OPERATOR = {
    "order=newest": "PRIMARY",
    "order=newest&status=PENDING,REJECTED": "PRIMARY",
    f"order=oldest&productId=none&placedAfter={INSTANT}": "PRIMARY",
    "order=newest&status=PENDING": "ix_orders_status_id",
    "order=newest&status=REJECTED&productId=none": "ix_orders_status_id",
    f"order=newest&userId=large&placedBefore={INSTANT}": "ix_orders_user_id_id",
    "order=newest&userId=user-7&status=CONFIRMED": "ix_orders_user_id_id",
}


@pytest.mark.parametrize(("query", "index"), OPERATOR.items(), ids=OPERATOR)
def test_the_list_of_all_users_uses_one_index(grown: Api, query: str, index: str) -> None:
    with explained() as plans, counted() as reads:
        assert grown.get(f"/admin/orders?limit=50&{query}").status_code == 200

    assert {plan["key"] for statement, plan in plans if "ORDER BY" in statement} == {index}
    assert all("filesort" not in (plan["Extra"] or "") for _, plan in plans)
    assert sum(read for _, read in reads) <= 3 * SCAN_MAX + 2 * SCAN_FIRST + 200, reads


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("filters", ["status=REJECTED", "productId=none", f"createdAfter={INSTANT}"])
def test_a_filter_that_finds_nothing_reads_a_bounded_part_of_the_orders(
    grown: Api, filters: str, order: str
) -> None:
    requests, path = 0, f"{LARGE}?limit=20&order={order}&{filters}"
    while path:
        with counted() as reads:
            response = grown.get(path)
        assert response.json == []
        # The index is read to the end of the part, then its rows are read: by the search for the end of the
        # page, and by the page. The first, smaller part is read once.
        assert sum(read for _, read in reads) <= 3 * SCAN_MAX + 2 * SCAN_FIRST + 100, reads
        requests, path = requests + 1, response.headers.get("Link", "").partition(">")[0].lstrip("<")

    assert requests == OF_ONE / SCAN_MAX


def test_a_page_of_a_filter_that_finds_many_reads_few_rows(grown: Api) -> None:
    with counted() as reads:
        response = grown.get(f"{LARGE}?limit=20&status=CONFIRMED&order=desc")

    assert len(response.json or []) == 20
    assert sum(read for _, read in reads) <= SCAN_FIRST + 100, reads
