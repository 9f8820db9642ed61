"""`GET …/orders`: the user's orders, oldest first, and nobody else's."""

import json
from datetime import datetime
from urllib.parse import quote

import pytest
from sqlalchemy import event, insert

from orders_service.api.database import READER
from orders_service.api.pages import CHUNK, FIRST_CHUNK
from orders_service.database.columns import utc_now
from orders_service.orders.order import Order, Status
from rig.databases import Databases
from tests.api.kit import ORDERS, STOCKHOLM, TOKYO, Api, assert_problem, at_once


def test_a_user_without_orders_has_an_empty_list(api: Api) -> None:
    api.placed("lee")

    response = api.get(ORDERS)

    assert (response.status_code, response.content_type) == (200, "application/json")
    assert response.json == []


def test_orders_are_listed_oldest_first(api: Api) -> None:
    ids = [api.placed(productId=product) for product in (STOCKHOLM, TOKYO, STOCKHOLM)]

    response = api.get(ORDERS)

    assert [order["orderId"] for order in response.json or []] == ids


def test_oldest_means_placed_first_even_within_one_microsecond(api: Api) -> None:
    now = utc_now()
    ids = ["c", "a", "b"]
    with api.databases.orders.begin() as connection:
        connection.execute(insert(Order), [_row(order_id, now) for order_id in ids])

    response = api.get(ORDERS)

    assert [order["orderId"] for order in response.json or []] == ids


def test_each_order_is_listed_as_it_is_shown(api: Api) -> None:
    ids = [api.placed(status=status) for status in Status]

    response = api.get(ORDERS)

    assert response.json == [api.get(f"{ORDERS}/{order_id}").json for order_id in ids]
    assert [order["status"] for order in response.json or []] == list(Status)


@pytest.mark.parametrize("user", ["Kim", "kim ", "kím", "ki", "kim%", "k_m", "' or '1'='1"])
def test_a_user_whose_name_looks_alike_sees_nothing(api: Api, user: str) -> None:
    api.placed("kim")

    response = api.get(f"/order-service/{quote(user)}/orders")

    assert (response.status_code, response.json) == (200, [])


def test_a_hundred_orders_are_all_listed(api: Api) -> None:
    ids = [
        order_id for batch in at_once(10, lambda _: [api.placed() for _ in range(10)]) for order_id in batch
    ]

    response = api.get(ORDERS)

    assert sorted(order["orderId"] for order in response.json or []) == sorted(ids)


def test_looking_writes_nothing_and_waits_for_no_writer(api: Api) -> None:
    order_id = api.placed()
    with api.databases.orders.begin() as writer:
        writer.execute(insert(Order), [_row("unfinished", utc_now())])

        listed, shown = api.get(ORDERS), api.get(f"{ORDERS}/{order_id}")

        assert [order["orderId"] for order in listed.json or []] == [order_id]
        assert shown.status_code == 200
        writer.rollback()


def test_a_page_ends_where_the_next_begins(api: Api) -> None:
    ids = [api.placed() for _ in range(5)]
    api.placed("lee")

    pages, path = [], f"{ORDERS}?limit=2"
    while path:
        response = api.get(path)
        pages.append([order["orderId"] for order in response.json or []])
        path = response.headers.get("Link", "").partition(">")[0].lstrip("<")

    assert pages == [ids[:2], ids[2:4], ids[4:]]


def test_the_last_full_page_has_no_next(api: Api) -> None:
    ids = [api.placed() for _ in range(2)]

    response = api.get(f"{ORDERS}?limit=2")

    assert [order["orderId"] for order in response.json or []] == ids
    assert "Link" not in response.headers


def test_the_next_page_of_a_user_with_an_odd_name_is_found(api: Api) -> None:
    for _ in range(2):
        api.placed("k%3Fm%20é%26")

    link = api.get("/order-service/k%3Fm%20é%26/orders?limit=1").headers["Link"]

    assert len(api.get(link.partition(">")[0].lstrip("<")).json or []) == 1


@pytest.mark.parametrize("user", ["\0", "x" * 256, ".", "..", " ", "a\x1bb", "%0A"])
@pytest.mark.parametrize("rest", ["", "/x", "/x/cancel"])
def test_a_user_who_cannot_order_is_refused_on_every_route(api: Api, user: str, rest: str) -> None:
    address = f"/order-service/{quote(user, safe='%')}/orders{rest}"

    response = api.client.post(address) if rest == "/x/cancel" else api.get(address)

    assert_problem(response, 422, "invalid-fields", fields=("userId",))


@pytest.mark.parametrize(
    "limit", [None, 1000, CHUNK + FIRST_CHUNK, CHUNK, *range(FIRST_CHUNK - 1, FIRST_CHUNK + 3)]
)
def test_a_long_list_is_the_same_however_it_is_divided(api: Api, limit: int | None) -> None:
    ids = [f"order-{number}" for number in range(1203)]
    with api.databases.orders.begin() as connection:
        connection.execute(insert(Order), [_row(order_id, utc_now()) for order_id in ids])

    pages, path = [], ORDERS if limit is None else f"{ORDERS}?limit={limit}&after={ids[600]}"
    while path:
        response = api.get(path)
        assert response.content_type == "application/json"
        pages.append([order["orderId"] for order in response.json or []])
        path = response.headers.get("Link", "").partition(">")[0].lstrip("<")

    assert [order_id for page in pages for order_id in page] == (ids if limit is None else ids[601:])
    assert {len(page) for page in pages[:-1]} <= {1000 if limit is None else limit}


def test_a_list_ends_with_its_last_full_page(api: Api) -> None:
    with api.databases.orders.begin() as connection:
        connection.execute(insert(Order), [_row(f"order-{number}", utc_now()) for number in range(1000)])

    response = api.get(ORDERS)

    assert len(response.json or []) == 1000
    assert "Link" not in response.headers


@pytest.mark.parametrize("limit", [5, 40])
def test_pages_after_an_order_do_not_wait_for_each_other(databases: Databases, limit: int) -> None:
    with Api.on(databases, API_THREADS="2") as api:
        with databases.orders.begin() as connection:
            connection.execute(insert(Order), [_row(f"order-{number}", utc_now()) for number in range(60)])

        codes = at_once(30, lambda _: api.get(f"{ORDERS}?limit={limit}&after=order-3").status_code)

    assert codes == [200] * 30


def test_an_order_that_is_committed_while_a_page_is_read_moves_none_out_of_it(own_api: Api) -> None:
    late = 150
    with own_api.databases.orders.begin() as connection:
        rows = [_row(f"order-{number}", utc_now()) | {"id": number + 1} for number in range(300)]
        connection.execute(insert(Order), [row for row in rows if row["id"] != late + 1])

    first = own_api.client.get(f"{ORDERS}?limit=200", buffered=False)
    chunks = iter(first.iter_encoded())
    text = next(chunks)
    with own_api.databases.orders.begin() as connection:
        connection.execute(insert(Order), [rows[late]])
    text += b"".join(chunks)
    link = first.headers["Link"].partition(">")[0].lstrip("<")
    second = own_api.get(link).json or []

    seen = [order["orderId"] for order in json.loads(text)] + [order["orderId"] for order in second]
    assert seen == [f"order-{number}" for number in range(300)]


def test_a_list_that_is_read_slowly_holds_no_connection(own_api: Api) -> None:
    with own_api.databases.orders.begin() as connection:
        connection.execute(insert(Order), [_row(f"order-{number}", utc_now()) for number in range(500)])

    response = own_api.client.get(ORDERS, buffered=False)
    first = bytes(next(iter(response.iter_encoded())))

    assert first.startswith(b"[{")
    assert own_api.engine(READER).pool.checkedout() == 0  # type: ignore[attr-defined]
    response.close()


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_a_page_after_an_order_is_one_statement(own_api: Api, order: str) -> None:
    with own_api.databases.orders.begin() as connection:
        connection.execute(insert(Order), [_row(f"order-{number}", utc_now()) for number in range(60)])
    asked: list[str] = []
    event.listen(own_api.engine(READER), "before_cursor_execute", lambda *given: asked.append(given[2]))

    response = own_api.get(f"{ORDERS}?limit=20&order={order}&after=order-30")

    numbers = range(31, 51) if order == "asc" else range(29, 9, -1)
    assert [found["orderId"] for found in response.json or []] == [f"order-{number}" for number in numbers]
    assert f"after=order-{numbers[-1]}>" in response.headers["Link"]
    assert len([statement for statement in asked if statement.startswith("SELECT")]) == 1


def test_after_the_last_order_the_page_is_empty(api: Api) -> None:
    last = [api.placed() for _ in range(2)][-1]

    response = api.get(f"{ORDERS}?limit=20&after={last}")

    assert (response.status_code, response.json) == (200, [])
    assert "Link" not in response.headers


def test_without_a_limit_all_that_come_after_are_listed(api: Api) -> None:
    ids = [api.placed() for _ in range(3)]

    response = api.get(f"{ORDERS}?after={ids[0]}")

    assert [order["orderId"] for order in response.json or []] == ids[1:]


@pytest.mark.parametrize(
    "limit", ["0", "-1", "1001", "two", "", "1.0", " 1", "٣", "0000000019999", "9" * 5000]
)
def test_a_limit_that_is_none_is_refused(api: Api, limit: str) -> None:
    response = api.get(f"{ORDERS}?limit={quote(limit)}")

    assert_problem(response, 422, "invalid-fields", fields=("limit",))


def test_after_anothers_order_nothing_can_come(api: Api) -> None:
    order_id = api.placed("lee")

    response = api.get(f"{ORDERS}?limit=2&after={order_id}")

    assert_problem(response, 400, "unknown-after")


def _row(order_id: str, now: datetime) -> dict[str, object]:
    facts = {"product_id": TOKYO, "qty": 1, "unit_price": 1, "total_price": 1, "user_id": "kim"}
    return facts | {
        "order_id": order_id,
        "version": 1,
        "status": Status.PENDING,
        "reason": None,
        "created_at": now,
        "updated_at": now,
    }
