"""`make pictures`: takes the README's pictures of the page from a running service, in light and in dark."""

import random
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, ViewportSize, sync_playwright

from rig.customers import Customers, Habits
from rig.documents.recording import running

FOLDER = Path(__file__).resolve().parents[1] / "docs/pictures"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZE: ViewportSize = {"width": 1280, "height": 820}
PRICES = {"CATALOG-001": 1500, "CATALOG-002": 900, "CATALOG-003": 1200}
COLOURS: tuple[Literal["light", "dark"], ...] = ("light", "dark")
RATE = 3  # Orders a second: each is a dot of its own.
SECONDS = 35  # The page shows the orders of the last 30 s.


def main() -> None:
    """Run the service, let customers order, and take the pictures."""
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        sys.exit("The pictures need Chromium. On Debian: apt-get install chromium")
    with (
        tempfile.TemporaryDirectory() as folder,
        running(Path(folder)) as settings,
        sync_playwright() as playwright,
    ):
        site = f"http://127.0.0.1:{settings.api_port}"
        customers = Customers(
            [site], PRICES, random.Random(1), rate=RATE, crowd=2, habits=Habits(keys=1, cancels=0.05)
        )
        browser = playwright.chromium.launch(executable_path=program)
        with customers.ordering():
            _take(browser, f"{site}/ui")


def _take(browser: Browser, url: str) -> None:
    pages = {}
    for colours in COLOURS:
        pages[colours] = browser.new_page(viewport=SIZE, color_scheme=colours, reduced_motion="reduce")
        pages[colours].goto(url)
    time.sleep(SECONDS)  # The orders of this time are in the pictures.
    FOLDER.mkdir(exist_ok=True)
    for colours, page in pages.items():
        path = FOLDER / f"road-{colours}.png"
        page.screenshot(path=path)
        print(path)


if __name__ == "__main__":
    main()
