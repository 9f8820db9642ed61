"""`POST …/orders`: a user is a printable name in the path, and no two names are one user."""

from urllib.parse import quote

import pytest

from tests.api.kit import ORDER, ORDERS, Api, assert_nothing_written, assert_problem, member


@pytest.mark.parametrize(
    "user",
    [
        "x",
        "x" * 255,
        "김철수",
        "김" * 255,
        "😀" * 255,
        "kim ",
        " kim",
        "a b",
        "100%",
        "what?",
        "#1",
        "a+b;c,d",
        "%41",
    ],
)
def test_any_printable_user_finds_the_order_where_location_says(api: Api, user: str) -> None:
    response = api.place(quote(user, safe=""))

    shown = api.get(response.headers["Location"])
    listed = api.get(f"/order-service/{quote(user, safe='')}/orders")
    assert member(shown, "orderId") == member(response, "orderId")
    assert [order["orderId"] for order in listed.json or []] == [member(response, "orderId")]
    assert [order.user_id for order in api.orders()] == [user]


@pytest.mark.parametrize(
    "user",
    ["x" * 256, "김" * 256, " ", "\u3000", "kim\0", "kim\n", "\x7f"],
    ids=["256", "256 Korean", "blank", "blank in Korean", "zero byte", "line end", "delete"],
)
def test_a_user_that_cannot_be_kept_is_refused(api: Api, user: str) -> None:
    response = api.place(quote(user, safe=""))

    assert_problem(response, 422, "invalid-fields", fields=("userId",))
    assert_nothing_written(api)


def test_a_user_with_a_slash_is_another_path(api: Api) -> None:
    response = api.place("kim%2Fhome")

    assert_problem(response, 404, "not-found")
    assert_nothing_written(api)


@pytest.mark.parametrize("broken", [b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", "Jürgen".encode("latin-1")])
def test_a_path_that_is_not_utf_8_is_refused(api: Api, broken: bytes) -> None:
    path = b"/order-service/" + broken + b"/orders"

    response = api.client.post(ORDERS, json=ORDER, environ_overrides={"PATH_INFO": path.decode("latin-1")})

    assert_problem(response, 400, "bad-request")
    assert_nothing_written(api)


@pytest.mark.parametrize(
    "others", [["Kim", "KIM"], ["kim ", " kim"], ["kím", "kïm"], ["ｋｉｍ"], ["kim\u200b"]], ids=ascii
)
def test_users_whose_names_look_alike_are_not_one(api: Api, others: list[str]) -> None:
    users = ["kim", *others]

    placed = {user: api.placed(quote(user), key="same") for user in users}

    assert len(set(placed.values())) == len(users)
    for user in users:
        listed = api.get(f"/order-service/{quote(user)}/orders").json or []
        assert [order["orderId"] for order in listed] == [placed[user]]


@pytest.mark.parametrize("user", [".", "%2e%2e", "..", "%2E"])
def test_a_user_that_no_address_can_name_is_refused(api: Api, user: str) -> None:
    response = api.place(user)

    assert_problem(response, 422, "invalid-fields", fields=("userId",))
    assert_nothing_written(api)
