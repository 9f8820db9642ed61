"""`X-Request-Id`: on every answer, in each log line of the request, and in its problem details."""

import json
from urllib.parse import unquote
from uuid import UUID

import pytest
from werkzeug.test import TestResponse

from orders_service.api import request_ids
from orders_service.api.serving.refusals import answer
from tests.api.kit import ORDERS, Api, at_once, member

PATHS = [
    ORDERS,
    f"{ORDERS}/x",
    "/catalog-service/catalogs",
    "/livez",
    "/readyz",
    "/metrics",
    "/nowhere",
    "//",
]


def get(api: Api, path: str, headers: dict[str, str]) -> TestResponse:
    return api.client.get(path, headers=headers)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "DELETE"])
def test_every_answer_has_the_id_that_the_client_sent(api: Api, path: str, method: str) -> None:
    response = api.client.open(path, method=method, headers={"X-Request-Id": "a/b?7!"})

    assert response.headers.getlist("X-Request-Id") == ["a/b?7!"]


def test_a_request_without_an_id_gets_one_that_begins_with_the_time(api: Api) -> None:
    ids = [api.place().headers["X-Request-Id"] for _ in range(3)]

    assert {UUID(one).version for one in ids} == {7}
    assert ids == sorted(set(ids))


@pytest.mark.parametrize("sent", ["x", "~" * 128, "!", "a,b", '"', "../etc"])
def test_an_id_of_visible_ascii_characters_is_taken(api: Api, sent: str) -> None:
    response = get(api, ORDERS, {"X-Request-Id": sent})

    assert response.headers["X-Request-Id"] == sent


@pytest.mark.parametrize("sent", ["", " ", "a b", "x" * 129, "é", "a\x7f", "a\tb"])
def test_an_id_that_cannot_be_used_is_replaced(api: Api, sent: str) -> None:
    response = get(api, ORDERS, {"X-Request-Id": sent})

    assert response.status_code == 200
    assert UUID(response.headers["X-Request-Id"]).version == 7


@pytest.mark.parametrize("sent", [None, "a/b?c#d", "~%2F", "urn:x"])
def test_a_problem_names_the_request(api: Api, sent: str | None) -> None:
    response = get(api, "/nowhere", {"X-Request-Id": sent} if sent else {})

    instance = str(member(response, "instance"))
    assert instance.startswith("/requests/")
    assert not set("?#: /") & set(instance.removeprefix("/requests/"))
    assert unquote(instance.removeprefix("/requests/")) == response.headers["X-Request-Id"]


def test_requests_at_the_same_time_have_their_own_ids(api: Api) -> None:
    answers = at_once(20, lambda n: get(api, "/nowhere", {"X-Request-Id": f"n-{n}"}))

    assert [member(one, "instance") for one in answers] == [f"/requests/n-{n}" for n in range(20)]


def test_only_a_log_line_of_a_request_has_an_id(api: Api) -> None:
    with api.app.test_request_context(headers={"X-Request-Id": "mine"}):
        inside, given = (
            request_ids.add_to_line(None, "info", line) for line in ({}, {"request_id": "other"})
        )
    outside = request_ids.add_to_line(None, "info", {})

    assert (inside, given, outside) == ({"request_id": "mine"}, {"request_id": "other"}, {})


def test_a_refusal_before_flask_has_an_id_too() -> None:
    head, _, body = answer("bad-request", "No.").partition(b"\r\n\r\n")

    (sent,) = [line for line in head.decode().split("\r\n") if line.startswith("X-Request-Id: ")]
    assert json.loads(body)["instance"] == f"/requests/{sent.removeprefix('X-Request-Id: ')}"
    assert UUID(sent.removeprefix("X-Request-Id: ")).version == 7
