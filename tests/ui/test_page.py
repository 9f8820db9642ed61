"""The addresses of the page, without a browser: they hold no data, and nothing that a policy forbids."""

import gzip
import re

import pytest
from flask import Flask
from flask.testing import FlaskClient

from orders_service.settings import Settings
from orders_service.ui.files import FOLDER, by_name
from orders_service.ui.page import ui

BUDGET = 60_000  # Bytes of the first view, packed.
SCREENS = [
    *("/ui", "/ui/orders", "/ui/orders/5f0c9b1e-7a42-5d0e-9c6b-2f1a8e34d7c0", "/ui/stock"),
    *("/ui/dead-letters", "/ui/dead-letters/example-catalog-topic-4@1198", "/ui/outbox"),
    *("/ui/doctor", "/ui/practice"),
]
ADDRESS = re.compile(r'(?:src|href)="([^"]+)"')
INSIDE = re.compile(r"<style|\bstyle=|\bon[a-z]+=|javascript:|<script(?![^>]*\bsrc=)", re.IGNORECASE)
AS_HTML = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function")


@pytest.fixture
def client() -> FlaskClient:
    """A client of the page alone, on this machine."""
    app = Flask("tests", static_folder=None)
    app.config["SETTINGS"] = Settings.read({})
    app.register_blueprint(ui)
    return app.test_client()


@pytest.mark.parametrize("path", SCREENS)
def test_every_screen_has_the_same_shell(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 200
    assert answer.mimetype == "text/html"
    assert answer.data == client.get("/ui").data


def test_the_shell_ignores_the_query_and_repeats_nothing_of_it(client: FlaskClient) -> None:
    answer = client.get("/ui/orders?userId=<script>alert(1)</script>")

    assert answer.data == client.get("/ui").data


def test_nothing_stands_inside_the_shell(client: FlaskClient) -> None:
    text = client.get("/ui").text

    assert INSIDE.findall(text) == []
    assert "default-src 'none'" in client.get("/ui").headers["Content-Security-Policy"]
    assert "unsafe" not in client.get("/ui").headers["Content-Security-Policy"]


def test_the_shell_names_files_of_this_service_only(client: FlaskClient) -> None:
    addresses = ADDRESS.findall(client.get("/ui").text)

    assert addresses
    assert all(client.get(address).status_code == 200 for address in addresses)


def test_the_first_view_is_within_its_budget(client: FlaskClient) -> None:
    addresses = set(ADDRESS.findall(client.get("/ui").text))

    sizes = [len(client.get(each, headers={"Accept-Encoding": "gzip"}).data) for each in addresses]

    assert sum(sizes) + len(client.get("/ui").data) <= BUDGET


def test_a_style_sheet_is_sent_without_comments_and_indentation(client: FlaskClient) -> None:
    sent = client.get("/ui/assets/shared.css").text

    assert "/*" not in sent
    assert "\n " not in sent
    assert sent.split() == re.sub(r"/\*.*?\*/", "", (FOLDER / "shared.css").read_text(), flags=re.S).split()


def test_a_file_is_packed_for_those_who_can_unpack_it(client: FlaskClient) -> None:
    packed = client.get("/ui/assets/main.js", headers={"Accept-Encoding": "gzip"})
    plain = client.get("/ui/assets/main.js", headers={"Accept-Encoding": "identity"})

    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data == (FOLDER / "main.js").read_bytes()
    assert "Content-Encoding" not in plain.headers
    assert {each.headers["Vary"] for each in (packed, plain)} == {"Accept-Encoding"}
    assert {each.mimetype for each in (packed, plain)} == {"text/javascript"}


def test_a_known_file_is_not_sent_again(client: FlaskClient) -> None:
    first = client.get("/ui/assets/base.css")

    again = client.get("/ui/assets/base.css", headers={"If-None-Match": first.headers["ETag"]})

    assert again.status_code == 304
    assert again.data == b""
    assert again.headers["ETag"] == first.headers["ETag"]
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("path", ["/ui/nothing", "/ui/assets/nothing.js", "/ui/assets/..%2Fpage.py"])
def test_another_address_is_not_found(client: FlaskClient, path: str) -> None:
    answer = client.get(path)

    assert answer.status_code == 404


def test_licences_are_kept_but_not_served(client: FlaskClient) -> None:
    assert "MIT License" in (FOLDER / "preact.LICENSE.txt").read_text()
    assert "Apache License" in (FOLDER / "htm.LICENSE.txt").read_text()
    assert client.get("/ui/assets/htm.LICENSE.txt").status_code == 404


def test_no_module_of_ours_makes_html_of_text() -> None:
    ours = [name for name in by_name() if name.endswith(".js") and name != "preact-htm.js"]

    assert len(ours) > 10
    assert [name for name in ours if AS_HTML.search((FOLDER / name).read_text())] == []
    assert [name for name in ours if "dangerously" in (FOLDER / name).read_text()] == []
