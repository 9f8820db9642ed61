"""`POST …/orders`: what can be meant is placed; anything else is refused and leaves nothing."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import pytest

from orders_service.api.app import create_app
from orders_service.api.body import BODY_MAX
from orders_service.settings import Settings
from rig.databases import Databases
from tests.api.kit import BERLIN, ORDER, ORDERS, Api, assert_nothing_written, assert_problem, literal, member

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
HUGE = "9" * 5000

NOT_A_WHOLE = {
    "a text": '"2"',
    "a word": '"two"',
    "an empty text": '""',
    "true": "true",
    "false": "false",
    "null": "null",
    "one point zero": "1.0",
    "a fraction": "1.7",
    "an exponent": "1e2",
    "a negative exponent": "100e-2",
    "beyond every float": "1e400",
    "32 bits overflown": "3000000000",
    "64 bits overflown": "18446744073709551617",
    "5000 digits": HUGE,
    "5000 negative digits": f"-{HUGE}",
    "negative": "-1",
    "an array": "[1]",
    "an empty array": "[]",
    "an object": '{"qty":1}',
    "deep": "[" * 50 + "]" * 50,
}
NOT_A_NAME = {
    "null": "null",
    "a number": "1",
    "true": "true",
    "an array": f'["{BERLIN}"]',
    "an object": "{}",
    "empty": '""',
    "blank": '"   "',
    "a tab": '"\\t"',
    "blank in Korean": '"\\u3000"',
    "121 characters": f'"{"x" * 121}"',
    "121 Korean characters": f'"{"김" * 121}"',
    "zero bytes": '"CATALOG\\u0000001"',
    "a line end": '"CATALOG-001\\n"',
    "delete": '"CATALOG-001\\u007f"',
    "a C1 control": '"CATALOG-001\\u0085"',
    "half a character": '"CATALOG-\\ud800"',
    "the other half": '"CATALOG-\\udc00"',
}
NOT_AN_OBJECT: dict[str, bytes] = {
    "empty": b"",
    "blank": b" \r\n\t",
    "null": b"null",
    "true": b"true",
    "a number": b"1",
    "a text": b'"order"',
    "an array": b"[]",
    "an order in an array": f"[{literal()}]".encode(),
    "words": b"hello",
    "a form": b"productId=CATALOG-001&qty=1",
    "cut off": literal().encode()[:-1],
    "two documents": (literal() + literal()).encode(),
    "something behind": literal().encode() + b"\x00",
    "a comma too many": b'{"productId":"CATALOG-001","qty":1,"unitPrice":1500,}',
    "single quotes": b"{'qty':1}",
    "a comment": b'{"qty":1/*one*/}',
    "a leading zero": literal(qty="01").encode(),
    "a plus sign": literal(qty="+1").encode(),
    "hexadecimal": literal(qty="0x1").encode(),
    "nothing behind the point": literal(qty="1.").encode(),
    "NaN": literal(qty="NaN").encode(),
    "Infinity": literal(qty="Infinity").encode(),
    "minus Infinity": literal(unitPrice="-Infinity").encode(),
    "a raw line end in a text": literal(productId='"CATALOG\n001"').encode(),
    "not UTF-8": b'{"productId":"\xff","qty":1,"unitPrice":1}',
    "latin-1": literal(productId='"Köln"').encode("latin-1"),
    "half a character in bytes": b'{"productId":"\xed\xa0\x80","qty":1,"unitPrice":1}',
    "a byte order mark": b"\xef\xbb\xbf" + literal().encode(),
    "UTF-16": literal().encode("utf-16"),
    "UTF-16 without mark": literal().encode("utf-16-le"),
    "UTF-32": literal().encode("utf-32"),
    "arrays without end": b"[" * 60_000,
    "objects without end": b'{"a":' * 10_000,
    "deep and complete": b"[" * 30_000 + b"]" * 30_000,
}


def test_an_order_is_answered_as_the_course_does_and_pending(api: Api) -> None:
    response = api.place(qty=2)

    assert response.status_code == 201
    assert response.content_type == "application/json"
    assert response.json == {
        "productId": BERLIN,
        "qty": 2,
        "unitPrice": 1500,
        "totalPrice": 3000,
        "orderId": member(response, "orderId"),
        "status": "PENDING",
    }


def test_an_order_and_its_event_are_recorded_together(api: Api) -> None:
    order_id = api.placed(qty=3)

    (order,) = api.orders()
    (event,) = api.outbox()
    assert (order.order_id, order.user_id, order.qty, order.status) == (order_id, "kim", 3, "PENDING")
    assert (event.type, event.aggregateid, event.key, event.lane) == (
        "order.placed.v1",
        order_id,
        BERLIN,
        "example-catalog-topic",
    )


def test_two_orders_of_one_content_are_two_orders(api: Api) -> None:
    first, second = api.placed(), api.placed()

    assert first != second
    assert len(api.orders()) == len(api.outbox()) == 2


@pytest.mark.parametrize(
    "fields",
    [
        {"qty": 1, "unitPrice": 0},
        {"qty": 10_000},
        {"unitPrice": 100_000_000},
        {"qty": 21, "unitPrice": 100_000_000},
        {"qty": 10_000, "unitPrice": 214_748},
        {"productId": "x"},
        {"productId": "x" * 120},
        {"productId": "김" * 120},
        {"productId": "😀" * 120},
        {"productId": " CATALOG-001 "},
        {"productId": "a/b?c#d%41\"'\\;"},
        {"productId": "UNKNOWN"},
    ],
    ids=str,
)
def test_what_is_exactly_at_a_limit_is_placed(api: Api, fields: dict[str, Any]) -> None:
    order_id = api.placed(**fields)

    expected = ORDER | fields
    (order,) = api.orders()
    assert (order.product_id, order.qty, order.unit_price) == tuple(expected.values())
    assert order.total_price == order.qty * order.unit_price
    assert order.order_id == order_id


@pytest.mark.parametrize("name", ["qty", "unitPrice"])
@pytest.mark.parametrize("value", NOT_A_WHOLE.values(), ids=NOT_A_WHOLE)
def test_what_is_no_whole_number_in_bounds_is_refused(api: Api, name: str, value: str) -> None:
    response = api.send(literal(**{name: value}))

    assert_problem(response, 422, "invalid-fields", fields=(name,))
    assert_nothing_written(api)


@pytest.mark.parametrize(
    ("name", "value"), [("qty", "0"), ("qty", "-0"), ("qty", "10001"), ("unitPrice", "100000001")]
)
def test_what_is_just_beyond_a_limit_is_refused(api: Api, name: str, value: str) -> None:
    response = api.send(literal(**{name: value}))

    assert_problem(response, 422, "invalid-fields", fields=(name,))
    assert_nothing_written(api)


@pytest.mark.parametrize("value", NOT_A_NAME.values(), ids=NOT_A_NAME)
def test_what_is_no_product_id_is_refused(api: Api, value: str) -> None:
    response = api.send(literal(productId=value))

    assert_problem(response, 422, "invalid-fields", fields=("productId",))
    assert_nothing_written(api)


@pytest.mark.parametrize(("qty", "price"), [(22, 100_000_000), (10_000, 214_749), (10_000, 100_000_000)])
def test_a_total_beyond_32_bits_is_refused(api: Api, qty: int, price: int) -> None:
    response = api.place(qty=qty, unitPrice=price)

    assert_problem(response, 422, "invalid-fields", fields=("qty",))
    assert_nothing_written(api)


@pytest.mark.parametrize("name", ORDER)
def test_a_missing_field_is_named(api: Api, name: str) -> None:
    response = api.client.post(ORDERS, json={key: value for key, value in ORDER.items() if key != name})

    assert_problem(response, 422, "invalid-fields", fields=(name,))
    assert member(response, "errors") == [{"field": name, "pointer": f"/{name}", "detail": "is missing"}]
    assert_nothing_written(api)


def test_everything_that_is_wrong_is_named_at_once(api: Api) -> None:
    response = api.send('{"productId":null,"qty":"2","colour":"red"}')

    assert_problem(response, 422, "invalid-fields", fields=("colour", "productId", "qty", "unitPrice"))
    assert_nothing_written(api)


@pytest.mark.parametrize(
    ("name", "pointer"),
    [
        ("totalPrice", "/totalPrice"),
        ("orderId", "/orderId"),
        ("QTY", "/QTY"),
        ("qty ", "/qty "),
        ("", "/"),
        ("_schema", "/_schema"),
        ("a/b~c", "/a~1b~0c"),
        ("김", "/김"),
        ("\ud800", "/\ud800"),
        ("\x00", "/\x00"),
    ],
    ids=ascii,
)
def test_an_unknown_field_is_refused_and_pointed_at(api: Api, name: str, pointer: str) -> None:
    unknown: dict[str, Any] = {name: 1}

    response = api.place(**unknown)

    assert_problem(response, 422, "invalid-fields", fields=(name,))
    assert member(response, "errors") == [
        {"field": name, "pointer": pointer, "detail": "is not a field of an order"}
    ]
    assert_nothing_written(api)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (literal()[:-1] + ',"qty":1}', "qty"),
        (literal()[:-1] + ',"productId":"CATALOG-002"}', "productId"),
        ('{"\\u0071ty":1,"qty":1}', "qty"),
        ('{"\\ud800":1,"\\ud800":2}', "\ud800"),
        ('{"qty":{"a":1,"a":2}}', "a"),
    ],
    ids=["the same value", "another value", "written otherwise", "half a character", "nested"],
)
def test_a_field_given_twice_is_refused(api: Api, body: str, name: str) -> None:
    response = api.send(body)

    assert_problem(response, 422, "invalid-fields", fields=(name,))
    assert_nothing_written(api)


@pytest.mark.parametrize("body", NOT_AN_OBJECT.values(), ids=NOT_AN_OBJECT)
def test_what_is_no_json_object_in_utf_8_is_refused(api: Api, body: bytes) -> None:
    response = api.send(body)

    assert_problem(response, 400, "invalid-body")
    assert member(response, "detail")
    assert_nothing_written(api)


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/xml",
        "application/problem+json",
        "application/json, text/plain",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "application/json; charset=kätzchen",
        "nonsense",
    ],
)
def test_what_is_not_sent_as_json_in_utf_8_is_refused(api: Api, content_type: str | None) -> None:
    response = api.send(literal(), content_type=content_type)

    assert_problem(response, 415, "unsupported-media-type")
    assert_nothing_written(api)


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        'application/json; charset="utf-8"',
        "APPLICATION/JSON",
        "application/json; profile=order",
    ],
)
def test_json_in_utf_8_by_any_of_its_names_is_placed(api: Api, content_type: str) -> None:
    response = api.send(literal(productId='"서울"').encode(), content_type=content_type)

    assert response.status_code == 201
    assert member(response, "productId") == "서울"


@pytest.mark.parametrize("accept", ["application/xml", "text/html", "nonsense", "*/*;q=0", ""])
def test_accept_is_no_reason_to_refuse(api: Api, accept: str) -> None:
    response = api.place(headers={"Accept": accept})

    assert response.status_code == 201
    assert response.content_type == "application/json"
    assert len(api.orders()) == 1


def test_a_body_of_exactly_the_limit_is_placed(api: Api) -> None:
    response = api.send(literal().ljust(BODY_MAX))

    assert response.status_code == 201


def test_a_body_of_one_byte_more_is_refused(api: Api) -> None:
    response = api.send(literal().ljust(BODY_MAX + 1))

    assert_problem(response, 413, "request-entity-too-large")
    assert str(BODY_MAX) in member(response, "detail")
    assert_nothing_written(api)


@pytest.mark.parametrize(("size", "status"), [(BODY_MAX, 201), (BODY_MAX + 1, 413), (1_000_000, 413)])
def test_a_body_that_does_not_tell_its_length_has_the_same_limit(api: Api, size: int, status: int) -> None:
    response = api.client.post(
        ORDERS,
        input_stream=io.BytesIO(literal().ljust(size).encode()),
        content_type="application/json",
        environ_overrides={"CONTENT_LENGTH": "", "wsgi.input_terminated": True},
    )

    assert response.status_code == status, response.text
    assert len(api.orders()) == (status == 201)


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


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (TRACE, TRACE),
        (None, None),
        ("", None),
        ("nonsense", None),
        (TRACE.upper(), None),
        (TRACE + "-00", None),
    ],
)
def test_the_trace_of_a_request_is_kept_if_it_is_one(api: Api, sent: str | None, kept: str | None) -> None:
    api.place(headers={} if sent is None else {"traceparent": sent})

    assert [row.traceparent for row in api.outbox()] == [kept]


@pytest.mark.parametrize("key", ["", '"', "a b", "x" * 256])
def test_of_several_things_wrong_at_once_nothing_is_written(api: Api, key: str) -> None:
    response = api.place("%00", key=key, qty=0)

    assert response.status_code in (400, 422)
    assert_nothing_written(api)


def test_many_unknown_fields_are_not_all_named(api: Api) -> None:
    body = json.dumps(ORDER | {f"field-{number}": 1 for number in range(3000)})

    response = api.send(body)

    assert_problem(response, 422, "invalid-fields", fields=tuple(f"field-{number}" for number in range(20)))
    assert "2980 more" in str(member(response, "detail"))
    assert_nothing_written(api)


def test_a_long_name_of_a_field_is_not_repeated_whole(api: Api) -> None:
    response = api.send(json.dumps(ORDER | {"x" * 60_000: 1}))

    assert response.status_code == 422
    assert len(response.text) < 1000


@pytest.mark.parametrize("product", [".", ".."])
def test_a_product_that_no_address_can_name_is_refused(api: Api, product: str) -> None:
    response = api.place(productId=product)

    assert_problem(response, 422, "invalid-fields", fields=("productId",))


@pytest.mark.parametrize("user", [".", "%2e%2e", "..", "%2E"])
def test_a_user_that_no_address_can_name_is_refused(api: Api, user: str) -> None:
    response = api.place(user)

    assert_problem(response, 422, "invalid-fields", fields=("userId",))
    assert_nothing_written(api)


@pytest.mark.parametrize("coding", ["gzip", "br", "nonsense"])
def test_a_body_that_says_it_is_coded_is_refused(api: Api, coding: str) -> None:
    response = api.place(headers={"Content-Encoding": coding})

    assert_problem(response, 415, "unsupported-media-type")
    assert_nothing_written(api)


@pytest.mark.parametrize(("members", "turns"), [(3, 0), (500, 1)])
def test_a_large_body_is_parsed_in_a_turn(databases: Databases, members: int, turns: int) -> None:
    taken: list[bool] = []

    @contextmanager
    def turn(*, first: bool) -> Iterator[None]:
        taken.append(first)
        yield

    app = create_app(Settings.read(databases.environment), turn=turn)
    with Api(app, databases) as api:
        response = api.send(json.dumps({f"member-{number}": 1 for number in range(members)}))

    assert response.status_code == 422
    assert len(taken) == turns
