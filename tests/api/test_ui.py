"""Whether the page `/ui` is served, to whom, and what links to it."""

import pytest

from orders_service.ui.page import PLAIN_SCREENS
from tests.api.identity.kit import WITH_SECRET
from tests.api.kit import Api, assert_problem

BROWSER = {"Accept": "text/html"}
SCREENS = ["/ui", *(f"/ui/{name}" for name in PLAIN_SCREENS), "/ui/orders/1", "/ui/assets/main.js"]


@pytest.mark.parametrize("path", SCREENS)
def test_the_page_is_off_if_the_settings_say_so(api: Api, path: str) -> None:
    with Api.on(api.databases, UI="off") as without:
        assert_problem(without.get(path), 404, "not-found")
        assert without.get("/admin/orders").status_code == 200

    assert api.get(path).status_code == 200


def test_the_start_page_links_to_it_where_it_is_on(api: Api) -> None:
    with Api.on(api.databases, UI="off") as without:
        absent = [without.get("/").json, without.client.get("/", headers=BROWSER).text]
    shown = [api.get("/").json, api.client.get("/", headers=BROWSER).text]

    assert ["ui" in (absent[0] or {}), 'href="/ui"' in str(absent[1])] == [False, False]
    assert [(shown[0] or {})["ui"], 'href="/ui"' in str(shown[1])] == ["/ui", True]  # type: ignore[index]


@pytest.mark.parametrize("headers", [{"X-Without-Page": "1"}, {"Host": "shop.example"}])
def test_the_start_page_does_not_link_to_it_where_it_is_not_answered(
    api: Api, headers: dict[str, str]
) -> None:
    told = api.client.get("/", headers=headers).get_json()
    page = api.client.get("/", headers=BROWSER | headers).text

    assert "ui" not in told
    assert 'href="/ui"' not in page


def test_its_address_with_a_slash_leads_to_it(api: Api) -> None:
    response = api.get("/ui/?from=a-bookmark")

    assert (response.status_code, response.headers["Location"]) == (308, "/ui")


@pytest.mark.parametrize("path", SCREENS)
def test_without_authentication_no_other_site_can_point_its_name_to_it(api: Api, path: str) -> None:
    with Api.on(api.databases, UI_HOSTS="orders.example") as named:
        refused = named.client.get(path, headers={"Host": "shop.example"})
        allowed = named.client.get(path, headers={"Host": "orders.example:8001"})

    assert_problem(refused, 403, "host-not-allowed")
    assert allowed.status_code == 200


def test_with_authentication_it_is_open_on_any_name(api: Api) -> None:
    with Api.on(api.databases, **WITH_SECRET) as secured:
        assert secured.client.get("/ui", headers={"Host": "shop.example"}).status_code == 200
