"""`POST …/orders`: every field that is wrong is named, and nothing is written."""

import json
from typing import Any

import pytest

from tests.api.kit import BERLIN, ORDER, ORDERS, Api, assert_nothing_written, assert_problem, literal, member

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
