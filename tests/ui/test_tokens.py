"""The page beside a service that asks for tokens."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from orders_service.contract.scopes import OPERATE
from rig.documents.recording import running
from rig.processes import ended
from tests.ui.conftest import Open

pytestmark = pytest.mark.browser

SECRET = {"AUTH_MODE": "jwt", "AUTH_SECRET": "0123456789abcdef" * 2}


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a service with AUTH_MODE=jwt."""
    with running(tmp_path_factory.mktemp("secured"), **SECRET) as settings:
        yield f"http://127.0.0.1:{settings.api_port}"


def token(scope: str) -> str:
    """A token of the user `me`."""
    return ended("token", "--user", "me", "--scope", scope, **SECRET).stdout.strip()


def test_the_token_that_is_named_places_an_order_for_another_user(open_screen: Open, secured: str) -> None:
    screen = open_screen("/ui/orders", site=secured)
    expect(screen.headline).to_have_text("This page needs a token")
    command = screen.page.locator(".token code").inner_text()
    scope = re.search("--scope '(.*?)'", command)
    assert scope

    screen.page.get_by_label("Token").fill(token(scope[1]))
    screen.page.get_by_role("button", name="Use this token").click()
    expect(screen.page.locator("#f-price")).not_to_have_value("")
    screen.page.get_by_role("button", name="Place the order").click()

    screen.see("Confirmed", ".result")


@pytest.mark.parametrize(
    ("scope", "why"),
    [
        (OPERATE, "It needs the scope orders:write."),
        (f"{OPERATE} orders:read orders:write", "does not give access to another user's orders"),
    ],
)
def test_a_refused_order_says_why(open_screen: Open, secured: str, scope: str, why: str) -> None:
    screen = open_screen("/ui/orders", site=secured)

    screen.page.get_by_label("Token").fill(token(scope))
    screen.page.get_by_role("button", name="Use this token").click()
    expect(screen.page.locator("#f-price")).not_to_have_value("")
    screen.page.get_by_role("button", name="Place the order").click()

    screen.see(why, ".result")
