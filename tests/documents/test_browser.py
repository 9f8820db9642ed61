"""The pages in a browser without a network: they keep their policy, and an order is placed from /docs."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from playwright.sync_api import Browser, Page, Request, Route

from orders_service.contract.problems import PROBLEMS
from rig import waiting
from tests.browsers import LISTEN

pytestmark = pytest.mark.browser

PAGES = ["/", "/docs", "/events", "/problems", "/problems/invalid-fields"]
# The contrast of text with its background that WCAG 2 asks for is 4.5.
PALE = """
() => {
  const light = (colour) => {
    const parts = colour.match(/[0-9.]+/g).slice(0, 3).map((each) => {
      const part = each / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const ground = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const colour = getComputedStyle(each).backgroundColor;
      if (!/rgba\\(.*, 0\\)/.test(colour)) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = [...document.querySelectorAll("body *")].filter((each) =>
    [...each.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
  return texts.filter((each) => {
    const pair = [light(getComputedStyle(each).color), light(ground(each))].sort((one, other) => other - one);
    return (pair[0] + 0.05) / (pair[1] + 0.05) < 4.5;
  }).map((each) => each.outerHTML.slice(0, 200));
}
"""


@dataclass
class Watched:
    """A page, and everything that it must not do."""

    page: Page
    site: str
    outside: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        """Load a page, and wait until it shows everything."""
        self.page.goto(self.site + path)
        if path == "/docs":
            self.page.wait_for_selector(".opblock")

    def assert_clean(self) -> None:
        """Nothing was asked of another host, nothing was forbidden, and no script failed."""
        assert self.page.evaluate("window.violations") == []
        assert (self.outside, self.errors) == ([], [])


@pytest.fixture(params=["light", "dark"])
def watched(browser: Browser, site: str, request: pytest.FixtureRequest) -> Iterator[Watched]:
    """A page of a phone, for which every other host is unreachable."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, color_scheme=request.param)
    context.set_default_timeout(waiting.seconds(10) * 1000)
    page = context.new_page()
    found = Watched(page, site)

    def pass_own(route: Route, sent: Request) -> None:
        if sent.url.startswith(f"{site}/"):
            route.continue_()
        else:
            found.outside.append(sent.url)
            route.abort()

    context.route("**/*", pass_own)
    context.add_init_script(LISTEN)
    page.on("console", lambda said: found.errors.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: found.errors.append(str(error)))
    yield found
    context.close()


def test_every_page_keeps_its_policy_without_a_network(watched: Watched) -> None:
    for path in {*PAGES, *(f"/problems/{slug}" for slug in PROBLEMS)}:
        watched.open(path)

        watched.assert_clean()
        assert watched.page.title().endswith("Orders service")


def test_no_page_scrolls_sideways_on_a_phone(watched: Watched) -> None:
    for path in PAGES:
        watched.open(path)

        assert watched.page.evaluate("document.documentElement.scrollWidth") == 390, path


def test_every_text_of_our_pages_can_be_read(watched: Watched) -> None:
    for path in PAGES:
        if path != "/docs":  # Swagger UI has its own colours.
            watched.open(path)

            assert watched.page.evaluate(PALE) == [], path


def test_the_first_key_leads_past_the_links(watched: Watched) -> None:
    watched.open("/events")

    watched.page.keyboard.press("Tab")
    watched.page.keyboard.press("Enter")

    assert watched.page.evaluate("document.activeElement.id") == "content"
    assert watched.page.evaluate("location.hash") == "#content"


def test_the_docs_show_every_operation(watched: Watched, site: str) -> None:
    paths = httpx.get(f"{site}/openapi.json").json()["paths"]

    watched.open("/docs")

    shown = watched.page.locator(".opblock").count()
    assert shown == sum(map(len, paths.values()))


def test_an_order_is_placed_from_the_docs(watched: Watched, site: str) -> None:
    watched.open("/docs")
    place = watched.page.locator("#operations-orders-placeOrder")

    place.locator(".opblock-summary-control").press("Enter")
    place.locator(".try-out__btn").click()
    place.locator(".execute").click()
    answer = place.locator(".live-responses-table .response .microlight").first.inner_text()

    assert '"status": "PENDING"' in answer
    orders = httpx.get(f"{site}/order-service/ann/orders").json()
    assert orders[-1]["orderId"] in answer
    watched.assert_clean()
