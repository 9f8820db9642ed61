"""The cost of an open page: the API's CPU time under a constant rate of orders, with and without a viewer."""

import random
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread

import httpx

from bench.stage import Stage
from bench.whole import Whole
from rig.customers import Customers

RATE = 500
CUSTOMERS = 20
SECONDS = 20
PRICES = {"CATALOG-001": 1500}


def looking(stage: Stage, *, rounds: int) -> dict[str, dict[str, list[dict[str, float]]]]:
    """The percent of a core that the API takes, and how often a viewer hears something."""
    whole = Whole(stage)
    found: dict[str, list[dict[str, float]]] = {"nobody looks": [], "a page is open": []}
    for number in range(rounds):
        for subject in found if number % 2 == 0 else reversed(found):
            with ExitStack() as stack:
                events: list[float] = []
                if subject == "a page is open":
                    events = stack.enter_context(_viewer(whole.deployment.url))
                found[subject].append(_measure(whole, events))
    whole.stop()
    return {f"the API at {RATE} orders a second": found}


def _measure(whole: Whole, events: list[float]) -> dict[str, float]:
    customers = Customers(
        [whole.deployment.url], PRICES, random.Random(1), rate=RATE, crowd=CUSTOMERS, seconds=30
    )
    api = whole.deployment.processes["api"]
    with customers.ordering():
        time.sleep(2)  # The connections are open, and the first reading is made.
        before, heard, placed, began = api.cpu(), len(events), customers.accepted, time.monotonic()
        time.sleep(SECONDS)
        spent, took = api.cpu() - before, time.monotonic() - began
        heard, placed = len(events) - heard, customers.accepted - placed
    assert not customers.failures, customers.failures
    return {
        "percent": spent / took * 100,
        "updates_a_second": heard / took,
        "rate": placed / took,
    }


@contextmanager
def _viewer(url: str) -> Iterator[list[float]]:
    """Read the stream as a page does; the times of its events."""
    times: list[float] = []
    with (
        httpx.Client(timeout=10) as client,
        client.stream("GET", f"{url}/admin/live") as response,
    ):
        response.raise_for_status()

        def read() -> None:
            try:
                for line in response.iter_lines():
                    if line.startswith("event: road"):
                        times.append(time.monotonic())
            except httpx.HTTPError:
                return  # It is over.

        reader = Thread(target=read, daemon=True)
        reader.start()
        yield times
        response.close()
    reader.join(5)
