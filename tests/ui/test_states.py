"""What a screen says when something is missing: the connection, a token, a scope, a database."""

import itertools
import uuid
from datetime import datetime, timedelta

import httpx
import pytest
from playwright.sync_api import Route, expect

from rig import waiting
from tests.faults.proxy import Proxy
from tests.ui.conftest import Open
from tests.ui.screen import Answer, Data
from tests.ui.test_screens import place

pytestmark = pytest.mark.browser

LONG = waiting.seconds(40) * 1000
# Notes each text of the headline.
SEEN = """
() => {
  window.seen = [];
  const note = () => window.seen.push(document.querySelector("h1").textContent);
  new MutationObserver(note).observe(document.querySelector("main"), { subtree: true, characterData: true });
}
"""
NEEDS = {"WWW-Authenticate": 'Bearer error="insufficient_scope", scope="orders:operate"'}


def test_a_cut_connection_is_said_and_healed(open_screen: Open, axe: str, site: str) -> None:
    proxy = Proxy(int(site.rpartition(":")[2]))
    screen = open_screen("/ui/stock", site=f"http://127.0.0.1:{proxy.port}")
    screen.see("Live", ".bar")

    with proxy.down():
        screen.see("Not connected since", ".lost")
        expect(screen.page.locator(".problem")).to_have_count(0)  # It is said once.
        expect(screen.page.locator("main.stale")).to_have_count(1)
        assert screen.page.locator("main .button.main:enabled").count() == 0
        assert screen.faults(axe) == []

    expect(screen.page.locator(".lost")).to_have_count(0, timeout=LONG)
    screen.see("Live", ".bar")
    proxy.close()


def test_without_a_stream_the_page_asks(open_screen: Open) -> None:
    full = Answer(503, "too-many-waiters", {"Retry-After": "1"})

    screen = open_screen("/ui", answers={"**/admin/live": full})

    screen.see("Every 2 s", ".bar")
    assert screen.page.locator(".station").count() == 5


def test_an_older_reading_of_another_process_is_not_shown(open_screen: Open, site: str) -> None:
    reading = httpx.get(f"{site}/admin/road").raise_for_status().json()
    at, numbers = datetime.fromisoformat(reading["at"]), itertools.count(1)

    def answer(route: Route) -> None:
        number = next(numbers)
        later = at + timedelta(seconds=-1 if number == 2 else number)
        headline = reading["headline"] | {"title": f"Reading {number}"}
        route.fulfill(json=reading | {"at": later.isoformat(), "headline": headline})

    full = Answer(503, "too-many-waiters", {"Retry-After": "1"})
    screen = open_screen("/ui/doctor", answers={"**/admin/live": full})
    screen.page.route("**/admin/road", answer)
    screen.open("/ui")
    screen.page.evaluate(SEEN)
    expect(screen.headline).to_have_text("Reading 3", timeout=LONG)

    assert "Reading 2" not in screen.page.evaluate("window.seen")


def test_without_a_token_the_page_asks_for_one_and_keeps_the_address(open_screen: Open, axe: str) -> None:
    screen = open_screen("/ui/orders?userId=ann", answers={"**/admin/**": Answer(401, "unauthorized")})

    expect(screen.headline).to_have_text("This page needs a token")
    screen.see("orders-service token", ".token")
    assert screen.page.url.endswith("/ui/orders?userId=ann")
    assert screen.faults(axe) == []
    screen.page.get_by_label("Token").fill("a.good.token")
    screen.page.unroute_all()
    sent = []
    screen.page.on("request", lambda request: sent.append(request.headers.get("authorization")))
    screen.page.get_by_role("button", name="Use this token").click()
    screen.see("The newest first")
    assert "Bearer a.good.token" in sent
    assert screen.page.evaluate("sessionStorage.length") == 1
    assert screen.page.url.endswith("/ui/orders?userId=ann")


def test_a_missing_scope_is_named(open_screen: Open) -> None:
    screen = open_screen("/ui", answers={"**/admin/**": Answer(403, "insufficient-scope", NEEDS)})

    screen.see("It needs the scope orders:operate.")


def test_a_panel_that_fails_says_why_and_the_others_go_on(open_screen: Open, axe: str) -> None:
    away = Answer(503, "database-unavailable", {"Retry-After": "30"})

    screen = open_screen("/ui/doctor", answers={"**/admin/doctor": away})

    screen.see("The database-unavailable title")
    screen.see("Trying again in 30 s.")
    screen.see("the-request")
    screen.see("What was done from here")
    assert screen.faults(axe) == []
    screen.page.unroute_all()
    screen.page.get_by_role("button", name="Try again").first.click()
    screen.see("orders-service doctor")


def test_a_refused_action_says_so_beside_its_button(open_screen: Open) -> None:
    screen = open_screen("/ui/doctor", answers={"**/admin/doctor/runs": Answer(429, "quota-exceeded")})

    screen.page.get_by_role("button", name="Look").click()

    screen.see("The quota-exceeded title", ".tools")


def test_less_motion_leaves_the_numbers(open_screen: Open) -> None:
    screen = open_screen("/ui")

    screen.page.emulate_media(reduced_motion="reduce")

    expect(screen.page.locator(".riders").first).to_be_hidden()
    screen.see("per second", ".labels")


def test_a_product_that_is_not_shown_is_no_new_one(open_screen: Open) -> None:
    shown: dict[str, object] = {"products": [], "sum": None, "supplies": [], "more": True, "problem": None}
    screen = open_screen("/ui/stock", answers={"**/admin/stock": Data(shown)})

    screen.page.locator("#s-product").fill("CATALOG-003")
    expect(screen.page.get_by_label("it is a new product")).not_to_be_checked()
    screen.page.locator("#s-qty").fill("3")
    screen.page.locator("#s-note").fill(f"delivery {uuid.uuid4()}")
    screen.page.get_by_role("button", name="Supply").click()

    screen.see("3 pieces of CATALOG-003 supplied", ".answer")


def test_a_new_product_needs_a_price(open_screen: Open) -> None:
    screen = open_screen("/ui/stock")

    screen.page.locator("#s-product").fill(f"NEW-{uuid.uuid4()}")
    screen.page.locator("#s-qty").fill("3")
    screen.page.locator("#s-note").fill("the first delivery")
    screen.page.get_by_role("button", name="Supply").click()

    expect(screen.page.locator("#s-price")).to_be_focused()
    expect(screen.page.locator("form .answer")).to_be_empty()


def test_the_outbox_stands_above_the_log_whichever_answers_first(open_screen: Open) -> None:
    screen = open_screen("/ui/doctor")
    held = screen.hold("**/admin/outbox")
    screen.page.goto(f"{screen.site}/ui/outbox")
    screen.see("Consumer groups")

    screen.first(held).continue_()

    screen.see("Outbox of the orders database")
    headings = screen.page.locator("main h1, main h2").all_inner_texts()
    assert headings[1:4] == ["Outbox of the orders database", "Outbox of the catalog database", "The log"]


def test_an_event_that_was_set_aside_is_requeued(open_screen: Open) -> None:
    aside = {
        "id": "the-id",
        "type": "order.placed.v1",
        "orderId": None,
        "topic": "a-topic",
        "error": "too large",
    }
    outbox = {"databases": [{"name": "orders", "lanes": [], "setAside": [aside | {"at": None}]}]}
    screen = open_screen("/ui/outbox", answers={"**/admin/outbox": Data(outbox)})

    def count(route: Route) -> None:
        if "dryRun" in (route.request.post_data or ""):
            route.fulfill(json={"done": "", "command": "orders-service outbox requeue", "wouldChange": 1})
        else:
            route.fallback()

    screen.page.route("**/admin/outbox/requeue", count)
    screen.page.get_by_role("button", name="Requeue 1 …").click()
    screen.page.get_by_role("button", name="Requeue 1", exact=True).click()

    screen.see("No event was set aside.", ".answer")  # By the service, which has none.


def test_a_preview_counts_with_the_number_of_the_service(open_screen: Open) -> None:
    group = {
        "reason": "unreadable",
        "error": "It is no JSON",
        "group": "catalog-stock",
        "count": 800,
        "onHold": 0,
    }
    seen = group | {"firstAt": None, "lastAt": None, "sample": "a-topic-0@1"}
    left = [{"recordId": f"a-topic-0@{number}", "why": "It is still unreadable."} for number in range(100)]
    preview = {"done": "", "command": None, "matched": 800, "wouldChange": 500, "left": left, "more": False}
    answers = {
        "**/admin/dead-letters/groups": Data({"groups": [seen], "waiting": 800, "onHold": 0, "more": False}),
        "**/admin/dead-letters?*": Data([]),
        "**/admin/dead-letters/replay": Data(preview),
    }
    screen = open_screen("/ui/dead-letters", answers=answers)

    screen.page.get_by_role("button", name="Replay all 800 …").click()

    screen.see("Replay 500 dead letters?", ".preview")
    screen.see("300 would stay: It is still unreadable.", ".preview")


def test_resending_asks_first_because_the_courses_catalog_takes_the_stock_twice(
    open_screen: Open, site: str
) -> None:
    screen = open_screen(f"/ui/orders/{place(site)}")

    screen.page.get_by_role("button", name="Resend").click()
    screen.see("takes the stock twice", ".preview")
    screen.page.keyboard.press("Escape")
    expect(screen.page.locator(".preview")).to_have_count(0)
    screen.page.get_by_role("button", name="Resend").click()
    screen.page.get_by_role("button", name="Send again").click()

    screen.see("will be sent again.", ".answer")
