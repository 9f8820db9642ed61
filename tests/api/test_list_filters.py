"""`GET …/orders` with filters, from the newest order on, and with the bound on what a filter reads."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert

from orders_service.api import pages
from orders_service.api.pages import CHUNK, FIRST_CHUNK
from orders_service.orders.order import Order, Status
from rig.databases import Databases
from tests.api.kit import BERLIN, ORDERS, STOCKHOLM, TOKYO, Api, assert_problem

START = datetime(2026, 11, 24, 7, 6, 15, 292_417, tzinfo=UTC)


def fill(api: Api, rows: int, **values: Callable[[int], Any]) -> list[dict[str, Any]]:
    """Insert *rows* orders of kim, one each second; *values* make columns from the number."""
    made = [
        {
            "order_id": f"order-{number}",
            "user_id": "kim",
            "product_id": TOKYO,
            "qty": 1,
            "unit_price": 1,
            "total_price": 1,
            "version": 1,
            "status": Status.CONFIRMED,
            "created_at": START + timedelta(seconds=number),
            "updated_at": START,
        }
        | {name: value(number) for name, value in values.items()}
        for number in range(rows)
    ]
    with api.databases.orders.begin() as connection:
        connection.execute(insert(Order), made)
    return made


def pages_of(api: Api, path: str) -> list[list[str]]:
    """The ids on each page, following `Link` until there is none."""
    found = []
    while path:
        response = api.get(path)
        assert response.status_code == 200, response.text
        found.append([order["orderId"] for order in response.json or []])
        path = response.headers.get("Link", "").partition(">")[0].lstrip("<")
    return found


def ids_of(api: Api, query: str) -> list[str]:
    return [order_id for page in pages_of(api, f"{ORDERS}?{query}") for order_id in page]


def test_a_list_has_only_the_statuses_that_are_asked_for(api: Api) -> None:
    ids = {status: api.placed(status=status) for status in Status}
    api.placed("lee", status=Status.PENDING)

    one, two, all_ = (
        ids_of(api, f"status={wanted}") for wanted in ("PENDING", "CANCELLED,CONFIRMED", ",".join(Status))
    )

    assert one == [ids[Status.PENDING]]
    assert two == [ids[Status.CONFIRMED], ids[Status.CANCELLED]]
    assert all_ == list(ids.values())


def test_a_list_has_only_the_product_that_is_asked_for(api: Api) -> None:
    ids = [api.placed(productId=product) for product in (BERLIN, "ä&=,%2F", BERLIN, STOCKHOLM)]

    assert ids_of(api, f"productId={BERLIN}&limit=1") == [ids[0], ids[2]]
    assert ids_of(api, f"productId={quote('ä&=,%2F', safe='')}&limit=1") == [ids[1]]
    assert ids_of(api, "productId=catalog-001") == []


def test_periods_that_follow_each_other_share_no_order_and_miss_none(api: Api) -> None:
    fill(api, 6)
    middle = (START + timedelta(seconds=3)).isoformat()

    before = ids_of(api, f"createdBefore={quote(middle)}")
    after = ids_of(api, f"createdAfter={quote(middle)}")

    assert (before, after) == (["order-0", "order-1", "order-2"], ["order-3", "order-4", "order-5"])


@pytest.mark.parametrize(
    "instant",
    [
        "2026-11-24T07:06:17.292417Z",
        "2026-11-24t07:06:17.292417z",
        "2026-11-24T07:06:17.292417000Z",
        "2026-11-24T16:06:17.292417+09:00",
        "2026-11-23T19:36:17.292417-11:30",
        "2026-11-24T07:06:17.292417-00:00",
        "2026-11-24T07:06:17Z",
    ],
)
def test_every_way_to_write_an_instant_means_the_same(api: Api, instant: str) -> None:
    fill(api, 4)

    assert ids_of(api, f"createdAfter={quote(instant)}") == ["order-2", "order-3"]


@pytest.mark.parametrize("name", ["createdAfter", "createdBefore"])
@pytest.mark.parametrize(
    "value",
    [
        *("", "now", "2026-11-24", "2026-11-24T07:06:15", "2026-11-24 07:06:15Z", "2026-11-24T07:06Z"),
        *("20261124T070615Z", "2026-W48-2T07:06:15Z", "1764000000", "2026-11-24T07:06:15 00:00"),
        *("2026-02-30T07:06:15Z", "2026-11-24T24:06:15Z", "2026-11-24T07:06:60Z", "2026-11-24T07:06:15.Z"),
        *(
            "2026-11-24T07:06:15+24:00",
            "2026-11-24T07:06:15+00:60",
            "2026-11-24T07:06:15+09",
            "0001-01-01T00:00:00+01:00",
        ),
        *(
            "9999-12-31T23:59:59-01:00",
            "1969-12-31T23:59:59Z",
            "٢٠٢٦-11-24T07:06:15Z",
            "2026-11-24T07:06:15ZZ",
        ),
    ],
)
def test_an_instant_that_is_none_is_refused(api: Api, name: str, value: str) -> None:
    response = api.get(f"{ORDERS}?{name}={quote(value)}")

    assert_problem(response, 422, "invalid-fields", fields=(name,))


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("status=", ("status",)),
        ("status=pending", ("status",)),
        ("status=PENDING,", ("status",)),
        ("status=PENDING%20", ("status",)),
        (f"status={'PENDING,' * 900}NEW", ("status",)),
        ("productId=", ("productId",)),
        ("productId=" + "x" * 121, ("productId",)),
        ("productId=%00", ("productId",)),
        ("order=", ("order",)),
        ("order=first", ("order",)),
        ("order=DESC", ("order",)),
        ("limit=0&order=up&status=NEW&productId=.", ("limit", "order", "productId", "status")),
        ("createdAfter=2026-01-01T00:00:00Z&createdBefore=2026-01-01T00:00:00Z", ("createdBefore",)),
    ],
)
def test_every_filter_that_is_wrong_is_named(api: Api, query: str, fields: tuple[str, ...]) -> None:
    response = api.get(f"{ORDERS}?{query}")

    assert_problem(response, 422, "invalid-fields", fields=fields)
    assert len(response.text) < 1500


def test_the_newest_orders_can_come_first(api: Api) -> None:
    ids = [api.placed() for _ in range(5)]

    assert pages_of(api, f"{ORDERS}?order=desc&limit=2") == [ids[:2:-1], ids[2:0:-1], ids[:1]]
    assert ids_of(api, "order=asc") == ids


def test_a_link_keeps_every_filter(api: Api) -> None:
    fill(api, 3, product_id=lambda _: "ä&=, %2F")
    since = quote("2026-11-24T08:06:15+01:00")
    query = f"productId={quote('ä&=, %2F')}&status=CONFIRMED%2CPENDING&order=desc&createdAfter={since}"

    link = api.get(f"{ORDERS}?{query}&limit=1").headers["Link"]

    assert link == (
        f"<{ORDERS}?productId=%C3%A4%26%3D%2C%20%252F&status=CONFIRMED%2CPENDING&order=desc"
        '&createdAfter=2026-11-24T08%3A06%3A15%2B01%3A00&limit=1&after=order-2>; rel="next"'
    )
    assert ids_of(api, f"{query}&limit=1") == ["order-2", "order-1", "order-0"]


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("limit", [CHUNK + FIRST_CHUNK, CHUNK, FIRST_CHUNK + 1, FIRST_CHUNK, FIRST_CHUNK - 1])
def test_a_long_filtered_list_is_the_same_however_it_is_divided(api: Api, order: str, limit: int) -> None:
    rows = fill(api, 603, status=lambda n: Status.PENDING if n % 3 else Status.REJECTED)
    ids = [row["order_id"] for row in rows if row["status"] == Status.PENDING]

    found = pages_of(api, f"{ORDERS}?status=PENDING&order={order}&limit={limit}")

    assert [order_id for page in found for order_id in page] == (ids if order == "asc" else ids[::-1])
    assert {len(page) for page in found[:-1]} <= {limit}


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize("matching", [(), (0,), (299,), (9, 10, 11), tuple(range(95, 135))])
def test_a_filter_that_finds_little_ends_the_page_early_and_the_next_goes_on(
    api: Api, monkeypatch: pytest.MonkeyPatch, order: str, matching: tuple[int, ...]
) -> None:
    monkeypatch.setattr(pages, "SCAN_FIRST", 10)
    monkeypatch.setattr(pages, "SCAN_MAX", 50)
    fill(api, 300, status=lambda n: Status.REJECTED if n in matching else Status.CONFIRMED)
    ids = [f"order-{number}" for number in matching]

    found = pages_of(api, f"{ORDERS}?status=REJECTED&order={order}&limit=25")

    assert [order_id for page in found for order_id in page] == (ids if order == "asc" else ids[::-1])
    assert 6 <= len(found) <= 8


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_an_order_that_is_committed_meanwhile_moves_none_out_of_a_filtered_page(
    own_api: Api, order: str
) -> None:
    fill(own_api, 300, status=lambda n: Status.PENDING if n != 150 else Status.CONFIRMED)

    response = own_api.client.get(f"{ORDERS}?status=PENDING&limit=200&order={order}", buffered=False)
    chunks = response.iter_encoded()
    text = next(chunks)
    own_api.set_status("order-150", Status.PENDING)
    text += b"".join(chunks)
    link = response.headers["Link"].partition(">")[0].lstrip("<")
    second = own_api.get(link).json or []

    seen = [one["orderId"] for one in json.loads(text)] + [one["orderId"] for one in second]
    wanted = [f"order-{number}" for number in range(300)]
    assert seen == (wanted if order == "asc" else wanted[::-1])


def test_the_longest_page_is_a_setting(databases: Databases) -> None:
    with Api.on(databases, API_LIST_MAX="30") as api:
        ids = [row["order_id"] for row in fill(api, 65)]

        found, refused = pages_of(api, ORDERS), api.get(f"{ORDERS}?limit=31")

    assert found == [ids[:30], ids[30:60], ids[60:]]
    assert_problem(refused, 422, "invalid-fields", fields=("limit",))
    assert "from 1 to 30" in refused.text


CASES = st.fixed_dictionaries(
    {},
    optional={
        "status": st.sets(st.sampled_from(Status), min_size=1).map(lambda some: ",".join(sorted(some))),
        "productId": st.sampled_from([BERLIN, TOKYO, "none"]),
        "createdAfter": st.integers(-1, 61),
        "createdBefore": st.integers(62, 130),
        "order": st.sampled_from(["asc", "desc"]),
        "limit": st.integers(1, 130),
    },
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(asked=CASES)
def test_filters_agree_with_a_model(shared_api: Api, asked: dict[str, Any]) -> None:
    if len(shared_api.orders()) != 120:
        shared_api.empty()
        fill(
            shared_api,
            120,
            status=lambda n: list(Status)[n * 7 % 4],
            product_id=lambda n: (BERLIN, TOKYO, STOCKHOLM)[n * 5 % 3],
        )
    times = {name: START + timedelta(seconds=asked[name]) for name in asked if name.startswith("created")}
    query = "&".join(
        f"{name}={quote(times[name].isoformat() if name in times else str(value))}"
        for name, value in asked.items()
    )

    found = pages_of(shared_api, f"{ORDERS}?{query}")

    wanted = [
        order.order_id
        for order in shared_api.orders()
        if order.status in asked.get("status", ",".join(Status)).split(",")
        and order.product_id == asked.get("productId", order.product_id)
        and times.get("createdAfter", START) <= order.created_at
        and order.created_at < times.get("createdBefore", START + timedelta(days=1))
    ]
    if asked.get("order") == "desc":
        wanted.reverse()
    assert [order_id for page in found for order_id in page] == wanted
    assert all(len(page) == asked.get("limit", 1000) for page in found[:-1])
