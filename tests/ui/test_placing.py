"""The form that places an order, when answers are lost: one order, and the truth about it."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.ui.conftest import Open
from tests.ui.screen import Answer, Screen

pytestmark = pytest.mark.browser

FULL = Answer(503, "too-many-waiters", {"Retry-After": "1"})


def keys_of(page: Page) -> list[str]:
    """The idempotency keys of all orders that the page sends from now on."""
    found: list[str] = []

    def note(sent: Request) -> None:
        if sent.method == "POST":
            found.append(sent.headers["idempotency-key"])

    page.on("request", note)
    return found


def press(screen: Screen, user: str) -> None:
    """Fill the form and send it."""
    expect(screen.page.locator("#f-price")).not_to_have_value("")
    screen.page.locator("#f-user").fill(user)
    screen.page.get_by_role("button", name="Place the order").click()


def test_a_press_after_a_lost_answer_places_no_second_order(open_screen: Open) -> None:
    screen = open_screen("/ui/orders")
    keys = keys_of(screen.page)
    lost: list[Any] = []

    def lose_first(route: Route) -> None:
        if lost or route.request.method != "POST":
            return route.fallback()
        lost.append(json.loads(route.fetch().body()))
        return route.abort()

    screen.page.route("**/order-service/lost/orders", lose_first)
    press(screen, "lost")
    screen.see("The service does not answer", ".result")
    press(screen, "lost")

    screen.see("Confirmed", ".result")
    assert keys[0] == keys[1]
    screen.see(lost[0]["orderId"][:8], ".result")
    press(screen, "lost")
    screen.page.wait_for_function("() => !document.querySelector('.order-form button[disabled]')")
    assert len(set(keys)) == 2


def test_an_order_whose_answer_is_not_known_is_shown_as_placed(open_screen: Open) -> None:
    screen = open_screen("/ui/orders", answers={"**/order-service/unsure/orders/*": FULL})

    press(screen, "unsure")

    screen.see("It is placed. Only its answer is not known yet", ".result")
    screen.page.unroute_all()
    screen.see("Confirmed", ".result")


def test_the_form_is_busy_until_the_order_is_placed_and_not_until_it_is_answered(open_screen: Open) -> None:
    screen = open_screen("/ui/orders", answers={"**/order-service/busy/orders/*": FULL})
    held = screen.hold("**/order-service/busy/orders")
    button = screen.page.locator(".order-form .button.main")

    press(screen, "busy")
    expect(button).to_be_disabled()
    expect(button).to_have_css("background-color", "rgba(0, 0, 0, 0)")  # The pointer is above it.
    screen.first(held).continue_()

    screen.see("It is placed. Only its answer is not known yet", ".result")
    expect(button).to_be_enabled()


def test_a_list_that_was_cut_says_among_how_many_it_looked(open_screen: Open) -> None:
    screen = open_screen("/ui/orders?userId=seldom")
    screen.see("No order is like this.")

    link = '</admin/orders?order=newest&after=5f0c9b1e-7a42-5d0e-9c6b-2f1a8e34d7c0>; rel="next"'
    screen.page.route(
        "**/admin/orders?*", lambda route: route.fulfill(json=[], headers={"Link": link}), times=1
    )
    screen.page.reload()

    screen.see("None of the newest 10,000 orders is like this.")
    older = screen.page.get_by_role("link", name="Look at older ones")
    expect(older).to_have_attribute(
        "href", "/ui/orders?userId=seldom&after=5f0c9b1e-7a42-5d0e-9c6b-2f1a8e34d7c0"
    )
