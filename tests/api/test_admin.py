"""`GET /admin/orders`: the orders of all users, for operators."""

from datetime import timedelta
from urllib.parse import quote

import pytest
from sqlalchemy import update

from orders_service.database.columns import utc_now
from orders_service.orders.order import Order, Status
from tests.api.identity.kit import WITH_SECRET, bearer, token
from tests.api.kit import Api, assert_problem

PATH = "/admin/orders"


def placed_ago(api: Api, seconds: int, user: str = "kim") -> str:
    """The id of an order of *user* that was placed so long ago."""
    order_id = api.placed(user)
    with api.databases.orders.begin() as connection:
        then = utc_now() - timedelta(seconds=seconds)
        connection.execute(update(Order).where(Order.order_id == order_id).values(created_at=then))
    return order_id


def ids(api: Api, query: str = "") -> list[str]:
    """The ids of the orders in the list."""
    response = api.get(PATH + query)
    assert response.status_code == 200, response.text
    return [order["orderId"] for order in response.json or []]


def test_orders_of_all_users_that_are_pending_are_listed(api: Api) -> None:
    first, second = api.placed("kim"), api.placed("ann")
    api.placed("kim", status=Status.CONFIRMED)

    orders = api.get(PATH).json or []

    assert [(order["orderId"], order["userId"]) for order in orders] == [(first, "kim"), (second, "ann")]
    assert {order["status"] for order in orders} == {"PENDING"}


@pytest.mark.parametrize("status", Status)
def test_one_status_is_listed(api: Api, status: Status) -> None:
    found = {each: api.placed(status=each) for each in Status}

    assert ids(api, f"?status={status}") == [found[status]]


def test_the_newest_orders_of_every_status_are_listed(api: Api) -> None:
    found = [api.placed(status=each) for each in Status]

    assert ids(api, "?order=newest") == found[::-1]
    assert ids(api, "?order=oldest") == found
    assert ids(api, "?order=newest&status=PENDING,CANCELLED") == [found[3], found[0]]


def test_the_orders_of_one_user_product_or_time_are_listed(api: Api) -> None:
    of_kim, of_ann = api.placed("kim"), api.placed("ann", productId="other", status=Status.CONFIRMED)
    old = placed_ago(api, 3600, "ann")
    hour_ago = quote((utc_now() - timedelta(seconds=1800)).isoformat())

    assert ids(api, "?order=newest&userId=ann") == [old, of_ann]
    assert ids(api, "?userId=ann") == [old]
    assert ids(api, "?order=newest&productId=other") == [of_ann]
    assert ids(api, f"?order=newest&placedAfter={hour_ago}") == [of_ann, of_kim]
    assert ids(api, f"?order=newest&placedBefore={hour_ago}") == [old]


def test_the_next_page_of_the_newest_goes_on(api: Api) -> None:
    found = [api.placed(status=Status.CONFIRMED) for _ in range(3)]

    response = api.get(f"{PATH}?order=newest&limit=2")

    following = response.headers["Link"].removeprefix("<").partition(">")[0]
    assert following == f"{PATH}?order=newest&limit=2&after={found[1]}"
    assert ids(api, following.removeprefix(PATH)) == found[:1]


def test_an_order_that_was_answered_has_the_time_of_that(api: Api) -> None:
    pending, confirmed, cancelled = api.placed(), placed_ago(api, 10), api.placed()
    api.confirm(confirmed)
    api.cancel(cancelled)

    found = {order["orderId"]: order["answerMs"] for order in api.get(f"{PATH}?order=newest").json or []}

    assert found[pending] is None
    assert 10_000 <= found[confirmed] < 100_000
    assert found[cancelled] is None


def test_orders_that_are_older_than_so_many_seconds_are_listed(api: Api) -> None:
    old = [placed_ago(api, seconds) for seconds in (3600, 120)]
    placed_ago(api, 30)

    assert ids(api, "?olderThan=60") == old
    assert ids(api, "?olderThan=999999999") == []


def test_the_next_page_keeps_the_filter(api: Api) -> None:
    old = [placed_ago(api, 120) for _ in range(3)]
    placed_ago(api, 0)

    response = api.get(f"{PATH}?status=PENDING&olderThan=60&limit=2")

    assert [order["orderId"] for order in response.json or []] == old[:2]
    following = response.headers["Link"].removeprefix("<").partition(">")[0]
    assert following == f"{PATH}?status=PENDING&olderThan=60&limit=2&after={old[1]}"
    assert ids(api, following.removeprefix(PATH)) == old[2:]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?status=PENDING,NONE", "status"),
        ("?status=", "status"),
        ("?olderThan=-1", "olderThan"),
        ("?olderThan=1.5", "olderThan"),
        ("?olderThan=9999999999", "olderThan"),
        ("?limit=0", "limit"),
        ("?order=sideways", "order"),
        ("?productId=", "productId"),
        ("?userId=%00", "userId"),
        ("?placedAfter=today", "placedAfter"),
        ("?placedAfter=2026-01-02T00:00:00Z&placedBefore=2026-01-01T00:00:00Z", "placedBefore"),
    ],
)
def test_a_wrong_parameter_is_named(api: Api, query: str, field: str) -> None:
    assert_problem(api.get(PATH + query), 422, "invalid-fields", fields=(field,))


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:8000", "127.0.0.1:8000", "[::1]", "[::1]:8000"])
def test_without_authentication_this_machines_names_are_allowed(api: Api, host: str) -> None:
    assert api.client.get(PATH, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["example.org", "localhost.example.org", "127.0.0.1.example.org:8000", "[::2]:1", "x:localhost"]
)
def test_without_authentication_no_other_site_can_read_it_through_a_browser(api: Api, host: str) -> None:
    api.placed()

    response = api.client.get(PATH, headers={"Host": host})

    assert_problem(response, 403, "host-not-allowed")


def test_a_name_in_ui_hosts_is_allowed(api: Api) -> None:
    with Api.on(api.databases, UI_HOSTS="Orders.example") as named:
        answers = [
            named.client.get(PATH, headers={"Host": host}).status_code
            for host in ("orders.example:8001", "ORDERS.example", "localhost", "x.orders.example")
        ]

    assert answers == [200, 200, 200, 403]


def test_with_authentication_only_an_operator_may_read_it_by_any_name(api: Api) -> None:
    host = {"Host": "orders.example.org"}
    with Api.on(api.databases, **WITH_SECRET) as secured:
        user = secured.client.get(PATH, headers=host | bearer(token()))
        operator = secured.client.get(PATH, headers=host | bearer(token(scope="orders:operate")))

    assert_problem(user, 403, "insufficient-scope")
    assert operator.status_code == 200
