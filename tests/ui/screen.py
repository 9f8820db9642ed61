"""A screen of the page in a browser, and everything that it must not do."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Locator, Page, Request, Route, expect

from rig import waiting
from tests.browsers import LISTEN

FAULTS = """
async () => (await axe.run()).violations.map((found) =>
  `${found.id}: ${found.nodes.map((node) => node.html.slice(0, 160)).join(" ; ")}`)
"""


@dataclass
class Answer:
    """A problem that stands in for the service's answer."""

    status: int
    slug: str = "problem"
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(self, route: Route) -> None:
        """Answer a request."""
        headers = {"Content-Type": "application/problem+json", **self.headers}
        shown = {"type": f"/problems/{self.slug}", "title": f"The {self.slug} title", "status": self.status}
        body = json.dumps(shown | {"detail": "Its detail.", "instance": "/requests/the-request"})
        route.fulfill(status=self.status, headers=headers, body=body)


@dataclass
class Data:
    """What the service might answer."""

    value: object

    def send(self, route: Route) -> None:
        """Answer a request."""
        route.fulfill(json=self.value)


class Screen:
    """A page for which every other host is unreachable."""

    def __init__(self, page: Page, site: str) -> None:
        self.page = page
        self.site = site
        self.outside: list[str] = []
        self.errors: list[str] = []
        page.context.route("**/*", self._pass_own)
        page.add_init_script(LISTEN)
        page.on("pageerror", lambda error: self.errors.append(str(error)))

    def open(self, path: str) -> None:
        """Load *path*, and wait for its headline."""
        self.page.goto(self.site + path)
        expect(self.headline).to_be_visible(timeout=waiting.seconds(10) * 1000)
        expect(self.page.locator("[aria-busy]")).to_have_count(0, timeout=waiting.seconds(10) * 1000)

    def answer(self, answers: Mapping[str, Answer | Data]) -> None:
        """Let requests to these addresses be answered so, with a problem as an overloaded service would."""
        for pattern, answer in answers.items():
            self.page.route(pattern, answer.send)

    def hold(self, pattern: str) -> list[Route]:
        """Hold requests to an address back: `first` waits for one of them."""
        held: list[Route] = []
        self.page.route(pattern, lambda route: held.append(route))
        return held

    def first(self, held: list[Route]) -> Route:
        """The first request that is held, as soon as there is one."""
        deadline = waiting.Deadline(10)
        while not held and not deadline.over:
            self.page.wait_for_timeout(20)
        assert held, "no request came"
        return held[0]

    @property
    def headline(self) -> Locator:
        """The state of the screen in words."""
        return self.page.locator("main h1")

    @property
    def has_no_scroll_sideways(self) -> bool:
        """Whether everything fits into the width of the window."""
        width: int = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        return width <= 0

    def see(self, text: str, within: str = "main") -> None:
        """Wait until *text* can be read."""
        shown = self.page.locator(within).get_by_text(text).first
        expect(shown).to_be_visible(timeout=waiting.seconds(15) * 1000)

    def faults(self, axe: str) -> Any:
        """What axe-core finds. Its script comes through the debugger, which the policy does not hold."""
        self.page.evaluate(axe)
        return self.page.evaluate(FAULTS)

    def assert_clean(self) -> None:
        """Nothing was asked of another host, nothing was forbidden, and no script failed."""
        if self.page.url.startswith(self.site):
            assert self.page.evaluate("window.violations") == []
        assert (self.outside, self.errors) == ([], [])

    def _pass_own(self, route: Route, sent: Request) -> None:
        if sent.url.startswith(f"{self.site}/"):
            route.continue_()
        else:
            self.outside.append(sent.url)
            route.abort()
