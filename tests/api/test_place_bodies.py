"""`POST …/orders`: a body is one JSON object in UTF-8 of a bounded size, or it is refused."""

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from orders_service.api.app import create_app
from orders_service.api.body import BODY_MAX
from orders_service.settings import Settings
from rig.databases import Databases
from tests.api.kit import ORDERS, Api, assert_nothing_written, assert_problem, literal, member

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
