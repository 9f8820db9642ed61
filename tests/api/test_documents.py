"""The documentation that the service shows: documents, pages, and how they are sent."""

import gzip
import json
import re
import time
from html.parser import HTMLParser

import pytest
from jsonschema import Draft7Validator

from orders_service.api.assets import FOLDER
from orders_service.api.documents import with_code
from orders_service.contract.problems import PROBLEMS, ProblemType
from rig.documents.__main__ import ROOT
from tests.api.identity.kit import WITH_SECRET
from tests.api.kit import Api, assert_problem

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
PAGES = ["/", "/docs", "/events", "/problems", *(f"/problems/{slug}" for slug in PROBLEMS)]
DOCUMENTS = ["/openapi.json", "/asyncapi.json", "/schemas/order.placed.v1.json"]
ODD_ACCEPTS = [
    "",
    ";",
    "text/html;q=x",
    "image/png",
    "*",
    "a/b/c",
    ",,,",
    "text/html;q=-1",
    "\xff/*",
    "*/*;q=0",
]


class Outline(HTMLParser):
    """The attributes of a page's elements that name addresses, scripts or styles, and its headings."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self.headings: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.addresses += [value for name in ("href", "src") if (value := given.get(name))]
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        self.ids += [value for name, value in attrs if name == "id" and value]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(tag)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_a_strict_policy_and_nothing_that_it_forbids(api: Api, path: str) -> None:
    response = api.client.get(path, headers=BROWSER)

    outline = Outline(response.text)
    assert (response.status_code, response.mimetype) == (200, "text/html")
    policy = response.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "unsafe" not in policy
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert outline.inline == []
    assert len(outline.ids) == len(set(outline.ids))
    assert all(address.startswith(("/", "#", "data:,")) for address in outline.addresses)


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_a_page_leads_somewhere(api: Api, path: str) -> None:
    links = Outline(api.client.get(path, headers=BROWSER).text).addresses

    broken = [link for link in links if link.startswith("/") and api.get(link).status_code != 200]

    assert broken == []


@pytest.mark.parametrize("path", ["/", "/problems", "/problems/invalid-fields"])
def test_a_program_gets_json_and_a_browser_a_page(api: Api, path: str) -> None:
    answers = [api.get(path), api.client.get(path, headers=BROWSER)]

    assert [answer.mimetype for answer in answers] == ["application/json", "text/html"]
    assert [answer.headers["Vary"] for answer in answers] == ["Accept", "Accept"]


@pytest.mark.parametrize("accept", ODD_ACCEPTS)
@pytest.mark.parametrize("path", ["/", "/problems", "/problems/not-found", "/docs", "/openapi.json"])
def test_accept_is_never_a_reason_to_refuse(api: Api, path: str, accept: str) -> None:
    response = api.client.get(path, headers={"Accept": accept})

    assert response.status_code == 200


@pytest.mark.parametrize("part", [" ", ";", "; ", '"', ","])
def test_no_accept_header_takes_long(api: Api, part: str) -> None:
    header = "text/html" + part * (30_000 // len(part)) + "b"  # The longest that the server lets pass.
    began = time.process_time()

    response = api.client.get("/problems/not-found", headers={"Accept": header})

    assert response.status_code == 200
    assert time.process_time() - began < 0.5  # A quadratic search took seconds.


@pytest.mark.parametrize("kind", PROBLEMS.values(), ids=list(PROBLEMS))
def test_the_type_of_a_problem_is_an_address_that_explains_it(api: Api, kind: ProblemType) -> None:
    # A registered type is explained by its registry, and here, too.
    address = kind.uri if kind.uri.startswith("/") else f"/problems/{kind.slug}"

    told, page = api.get(address).get_json(), api.client.get(address, headers=BROWSER).text

    assert told["type"] == told["example"]["type"] == kind.uri
    assert told["status"] == told["example"]["status"]
    assert told["title"] in page
    assert "What to do" in page


def test_the_first_order_has_a_token_if_the_service_asks_for_one(api: Api) -> None:
    with Api.on(api.databases, **WITH_SECRET) as own:
        page = own.client.get("/", headers=BROWSER).text

    assert "Authorization: Bearer $TOKEN" in page
    assert "$TOKEN" not in api.client.get("/", headers=BROWSER).text


def test_an_unknown_problem_event_or_asset_is_not_found(api: Api) -> None:
    for path in ("/problems/x", "/schemas/x.json", "/schemas/..%2fopenapi.json", "/docs/assets/x.js"):
        assert_problem(api.get(path), 404, "not-found")


def test_an_unknown_address_says_where_the_addresses_are(api: Api) -> None:
    response = api.get("/orders")

    assert response.get_json()["detail"] == "This address does not exist. GET /docs lists the addresses."


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_document_that_the_client_has_is_not_sent_again(api: Api, path: str) -> None:
    first = api.get(path)

    again = api.client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    other = api.client.get(path, headers={"If-None-Match": '"x"'})

    assert (again.status_code, again.data) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    assert other.data == first.data


def test_the_topics_and_partitions_are_those_of_the_settings(own_api: Api) -> None:
    with Api.on(own_api.databases, CATALOG_TOPIC="a", STOCK_TOPIC="b", TOPIC_PARTITIONS="12") as api:
        channels = api.get("/asyncapi.json").get_json()["channels"]
        page = api.client.get("/events", headers=BROWSER).text

    assert {name: channel["address"] for name, channel in channels.items()} == {"catalog": "a", "stock": "b"}
    assert {channel["bindings"]["kafka"]["partitions"] for channel in channels.values()} == {12}
    assert "<code>a</code>" in page
    assert "<dd>12</dd>" in page


def test_the_asyncapi_document_that_is_served_is_valid(api: Api) -> None:
    official = json.loads((ROOT / "tests/contract/asyncapi-3.0.0.json").read_text())

    assert list(Draft7Validator(official).iter_errors(api.get("/asyncapi.json").get_json())) == []


def test_the_page_of_events_shows_every_event(api: Api) -> None:
    document = api.get("/asyncapi.json").get_json()

    page = api.client.get("/events", headers=BROWSER).text

    for name, message in document["components"]["messages"].items():
        assert f'<h3 id="{name}">' in page
        assert with_code(message["summary"]) in page
        assert message["examples"][0]["headers"]["ce_id"] in page


def test_an_asset_is_sent_compressed_and_kept_for_ever(api: Api) -> None:
    for url in re.findall(r'/docs/assets/[^"]+', api.client.get("/docs", headers=BROWSER).text):
        packed = api.client.get(url, headers={"Accept-Encoding": "gzip, br"})
        plain = api.client.get(url, headers={"Accept-Encoding": "identity, gzip;q=0"})

        assert packed.headers["Content-Encoding"] == "gzip"
        assert "Content-Encoding" not in plain.headers
        assert gzip.decompress(packed.data) == plain.data
        assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
        assert "immutable" in packed.headers["Cache-Control"]
        assert packed.mimetype in ("text/css", "text/javascript")


def test_swagger_ui_comes_with_its_licence() -> None:
    assert "Apache License" in (FOLDER / "swagger-ui.LICENSE.txt").read_text()
    assert "SmartBear" in (FOLDER / "swagger-ui.NOTICE.txt").read_text()
    assert "MIT" in (FOLDER / "swagger-ui-bundle.js.LICENSE.txt").read_text()
