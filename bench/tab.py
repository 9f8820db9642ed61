"""The memory of an open page: `python -m bench.tab` opens the Road in Chromium beside a load of orders.

All five processes run, on MariaDB and Kafka. The orders come in batches, because two cores that also draw the
page cannot carry as many customers. The browser collects its garbage before each measurement, so the numbers
are what the page keeps.
"""

import os
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import click
from playwright.sync_api import Browser, CDPSession, sync_playwright

from bench.batches import Batches, sending
from bench.stage import stage
from bench.whole import Whole

RATE = 500
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
HEAD = ("minute", "orders/s", "JS heap MB", "tab MB", "DOM nodes", "listeners")
PRIVATE = re.compile(r"^Private_\w+:\s+(\d+) kB", re.MULTILINE)


@click.command()
@click.option("--minutes", default=10, show_default=True, help="How long the page stays open.")
@click.option("--screen", default="/ui", show_default=True, help="The address of the screen.")
def main(minutes: int, screen: str) -> None:
    """Print what the tab takes, minute by minute, as a Markdown table."""
    with (
        tempfile.TemporaryDirectory(prefix="tab-") as folder,
        stage(Path(folder)) as servers,
        sync_playwright() as playwright,
    ):
        whole = Whole(servers)
        site = whole.deployment.url
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        click.echo(f"| {' | '.join(HEAD)} |\n{'|---' * len(HEAD)}|")
        with sending(site, RATE) as load:
            for row in _minutes(browser, site + screen, load, minutes):
                click.echo(f"| {' | '.join(row)} |")
        browser.close()
        whole.stop()


def _minutes(browser: Browser, address: str, load: Batches, minutes: int) -> Iterator[list[str]]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(address)
    page.locator("main h1").wait_for()
    tab, whole = page.context.new_cdp_session(page), browser.new_browser_cdp_session()
    tab.send("Performance.enable")
    for minute in range(minutes + 1):
        before, began = load.accepted, time.monotonic()
        time.sleep(60 if minute else 5)
        placed = (load.accepted - before) / (time.monotonic() - began)
        yield [str(minute), f"{placed:.0f}", *_measured(tab, whole)]


def _measured(tab: CDPSession, whole: CDPSession) -> list[str]:
    tab.send("HeapProfiler.collectGarbage")
    metrics = {each["name"]: each["value"] for each in tab.send("Performance.getMetrics")["metrics"]}
    counters = tab.send("Memory.getDOMCounters")
    private = max(_private(each["id"]) for each in _renderers(whole))
    return [
        f"{metrics['JSHeapUsedSize'] / 1e6:.1f}",
        f"{private / 1e6:.1f}",
        f"{counters['nodes']:,}",
        f"{counters['jsEventListeners']:,}",
    ]


def _renderers(whole: CDPSession) -> Iterator[dict[str, int]]:
    """Chromium keeps a second, empty renderer ready; the larger one is the tab's."""
    found = whole.send("SystemInfo.getProcessInfo")["processInfo"]
    return (each for each in found if each["type"] == "renderer")


def _private(process: int) -> int:
    """Bytes that no other process shares: what the tab adds to a browser that is open."""
    text = Path(f"/proc/{process}/smaps_rollup").read_text()
    return sum(int(kilobytes) for kilobytes in PRIVATE.findall(text)) * 1024


if __name__ == "__main__":
    main()
