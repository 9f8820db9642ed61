"""The screens in a browser, beside a real service on SQLite: what a person sees and does."""

import uuid

import httpx
import pytest
from playwright.sync_api import expect

from rig import waiting
from tests.ui.conftest import PHONE, Open

pytestmark = [pytest.mark.long, pytest.mark.browser]

SCREENS = ["/ui", "/ui/orders", "/ui/stock", "/ui/dead-letters", "/ui/outbox", "/ui/doctor", "/ui/practice"]
HOSTILE = "<img src=x onerror=alert(1)><b>{}"
ORDER = {"productId": "CATALOG-001", "qty": 1, "unitPrice": 1500}


def place(site: str, user: str = "ann", **changes: object) -> str:
    """Place an order over HTTP, and wait for its answer."""
    headers = {"Idempotency-Key": str(uuid.uuid4()), "Prefer": "wait=10"}
    answer = httpx.post(f"{site}/order-service/{user}/orders", json=ORDER | changes, headers=headers)
    return str(answer.raise_for_status().json()["orderId"])


def test_the_road_shows_the_five_stations_and_the_sum(open_screen: Open) -> None:
    screen = open_screen("/ui")

    assert screen.page.locator(".station").count() == 5
    screen.see("in stock", ".sum")
    screen.see("Stock adds up", ".bar")


def test_an_order_is_placed_and_confirmed_and_the_stock_falls(open_screen: Open, site: str) -> None:
    before = httpx.get(f"{site}/catalog-service/catalogs/CATALOG-001").json()["stock"]
    screen = open_screen("/ui/orders")

    expect(screen.page.locator("#f-price")).not_to_have_value("")  # The form has chosen the first product.
    screen.page.get_by_label("Product").last.fill("CATALOG-001")
    screen.page.get_by_label("Quantity").fill("2")
    screen.page.get_by_label("Unit price").fill("1500")
    screen.page.get_by_role("button", name="Place the order").click()

    screen.see("Confirmed", ".result")
    after = httpx.get(f"{site}/catalog-service/catalogs/CATALOG-001").json()["stock"]
    assert after == before - 2
    screen.page.locator(".result a").click()
    screen.see("Confirmed", "main h1")
    screen.see("Reserved", ".journey")


def test_text_from_outside_is_shown_as_text(open_screen: Open, site: str) -> None:
    text = HOSTILE.format("user")
    order_id = place(site, user=text.replace("/", ""), productId=HOSTILE.format("product"))

    listed = open_screen("/ui/orders")
    listed.see(text, ".orders")
    listed.see(HOSTILE.format("product"), ".orders")
    one = open_screen(f"/ui/orders/{order_id}")
    one.see(text)

    for screen in (listed, one):
        assert screen.page.locator("main img").count() == 0


def test_an_id_that_is_no_order_is_said(open_screen: Open) -> None:
    screen = open_screen(f"/ui/orders/{uuid.uuid4()}")

    expect(screen.headline).to_have_text("There is no such order")


def test_filters_are_in_the_address(open_screen: Open, site: str) -> None:
    place(site, user="filtered")
    screen = open_screen("/ui/orders")

    screen.page.get_by_label("User", exact=True).first.fill("filtered")
    screen.page.get_by_label("User", exact=True).first.press("Tab")

    expect(screen.page.locator(".orders tbody tr")).to_have_count(1)
    assert "userId=filtered" in screen.page.url
    screen.page.reload()
    expect(screen.page.locator(".orders tbody tr")).to_have_count(1)
    screen.page.go_back()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", SCREENS)
def test_axe_finds_nothing(open_screen: Open, axe: str, site: str, path: str, scheme: str) -> None:
    place(site)
    screen = open_screen(path, scheme=scheme)

    assert screen.faults(axe) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_an_order(open_screen: Open, axe: str, site: str, scheme: str) -> None:
    screen = open_screen(f"/ui/orders/{place(site)}", scheme=scheme)

    assert screen.faults(axe) == []


@pytest.mark.parametrize("path", SCREENS)
def test_nothing_scrolls_sideways_on_a_phone(open_screen: Open, axe: str, site: str, path: str) -> None:
    place(site, productId="A-product-with-a-long-name-" * 4)

    screen = open_screen(path, size=PHONE)

    assert screen.has_no_scroll_sideways
    assert screen.faults(axe) == []


def test_the_keyboard_is_enough_to_place_an_order_and_to_look_at_it(open_screen: Open) -> None:
    screen = open_screen("/ui")
    keys = screen.page.keyboard

    keys.press("n")
    expect(screen.page.locator("[data-new]")).to_be_focused()
    expect(screen.page.locator("#f-price")).not_to_have_value("")  # The first product is filled in.
    for _ in ("quantity", "price"):
        keys.press("Tab")
    keys.press("Enter")  # It sends the form.
    screen.see("Confirmed", ".result")
    placed = screen.page.locator(".result a").inner_text()
    expect(screen.page.locator("[data-row]").first).to_have_text(placed)
    keys.press("Tab")
    keys.press("Tab")  # To the button: in a field, letters are text.
    keys.press("j")
    expect(screen.page.locator("[data-row]").first).to_be_focused()
    keys.press("Enter")

    screen.see("Placed", ".journey")
    expect(screen.headline).to_be_focused()


def test_the_first_key_leads_past_the_bar(open_screen: Open) -> None:
    screen = open_screen("/ui")

    screen.page.keyboard.press("Tab")
    screen.page.keyboard.press("Enter")

    expect(screen.page.locator("main")).to_be_focused()


def test_the_keys_are_shown_and_can_be_switched_off(open_screen: Open) -> None:
    screen = open_screen("/ui")

    screen.page.keyboard.press("?")
    screen.page.get_by_label("letter keys are on").uncheck()
    screen.page.keyboard.press("Escape")
    screen.page.keyboard.press("n")

    expect(screen.page.locator("dialog")).to_be_hidden()
    assert screen.page.url.endswith("/ui")


def test_pausing_keeps_the_picture(open_screen: Open) -> None:
    screen = open_screen("/ui")

    screen.page.keyboard.press("p")

    screen.see("Paused at")
    expect(screen.page.get_by_role("button", name="Go on drawing")).to_be_visible()


def test_the_theme_is_kept(open_screen: Open) -> None:
    screen = open_screen("/ui", scheme="light")

    screen.page.get_by_label("dark", exact=True).check()
    screen.page.reload()
    expect(screen.headline).to_be_visible()

    scheme = screen.page.evaluate("getComputedStyle(document.documentElement).colorScheme")
    assert scheme == "dark"


def test_a_poison_record_is_grouped_held_and_discarded(open_screen: Open, axe: str) -> None:
    screen = open_screen("/ui/practice")
    screen.page.get_by_role("button", name="Send a poison record").click()
    screen.see("kept it as a dead letter")
    screen.page.get_by_role("link", name="Dead letters").first.click()

    screen.page.locator("a.whole").first.click()
    screen.see("Unreadable, given up on by catalog-stock", ".letter")
    assert screen.faults(axe) == []
    screen.page.get_by_label("Note").fill("ticket 412")
    screen.page.get_by_role("button", name="Hold", exact=True).click()
    screen.see("put it on hold: ticket 412", ".history")
    screen.page.get_by_role("button", name="Release", exact=True).click()
    screen.see("1 dead letter", ".act .answer")
    screen.see("put on hold", ".history")  # It is not forgotten.
    screen.page.get_by_role("button", name="Discard", exact=True).click()
    screen.page.get_by_role("button", name="Discard it").click()
    screen.see("discarded it", ".history")
    screen.see("1 dead letter was discarded.", ".letter .answer")

    expect(screen.headline).to_have_text("No dead letter waits")


def test_a_stopped_relay_is_seen_and_healed(open_screen: Open, site: str) -> None:
    practice = open_screen("/ui/practice")
    practice.page.get_by_role("button", name="Stop the relay").click()
    practice.see("adds up", "main")
    expect(practice.page.get_by_role("button", name="Start the relay")).to_be_visible()
    httpx.post(f"{site}/order-service/ann/orders", json=ORDER).raise_for_status()
    expect(practice.page.locator(".bar .verdict")).to_contain_text(
        "for the orders-relay", timeout=waiting.seconds(30) * 1000
    )

    road = open_screen("/ui")
    expect(road.page.locator(".station.stopped h2")).to_contain_text(
        "Orders", timeout=waiting.seconds(30) * 1000
    )
    road.page.locator(".remedy").get_by_role("link", name="Start the relay").click()
    road.page.get_by_role("button", name="Start the relay").click()
    road.page.get_by_role("link", name="Road").first.click()

    expect(road.page.locator(".station.stopped")).to_have_count(0, timeout=waiting.seconds(30) * 1000)


def test_a_supply_is_counted_and_written_down(open_screen: Open) -> None:
    screen = open_screen("/ui/stock")
    note = f"delivery {uuid.uuid4()}"

    screen.page.get_by_label("Change the stock of CATALOG-002").click()
    expect(screen.page.get_by_label("Pieces", exact=True)).to_be_focused()
    screen.page.keyboard.type("7")
    screen.page.get_by_label("Note").fill(note)
    screen.page.get_by_role("button", name="Supply").click()

    screen.see("7 pieces of CATALOG-002 supplied", ".answer")
    screen.see("orders-service catalog supply CATALOG-002 7", ".answer")
    screen.see(note, ".after")
    expect(screen.headline).to_contain_text("The stock adds up")
    screen.page.get_by_role("link", name="Doctor").first.click()
    screen.see("7 pieces of CATALOG-002 supplied", ".after")


def test_an_order_is_cancelled_from_its_journey(open_screen: Open, site: str) -> None:
    screen = open_screen(f"/ui/orders/{place(site)}")
    screen.see("Confirmed", "main h1")

    screen.page.get_by_role("button", name="Cancel the order").click()
    screen.see("This cannot be undone.", ".preview")
    screen.page.get_by_role("button", name="Cancel it").click()

    screen.see("was cancelled.", ".answer")
    screen.see("Cancelled", "main h1")
    screen.see("Released", ".journey")
    expect(screen.page.get_by_text("not yet", exact=True)).to_have_count(0)
    expect(screen.page.get_by_role("button", name="Cancel the order")).to_be_disabled()
