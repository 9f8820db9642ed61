"""Kafka goes away for MINUTES while orders come in: what does a customer feel? `python -m bench.outage 3`"""

import argparse
import itertools
import statistics
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.stage import Stage, ours, stage

RATE = 200  # Orders a second.
CUSTOMERS = 8
BEFORE_SECONDS = 60
WORKERS = ("orders-relay", "stock-consumer", "catalog-relay", "status-consumer")
UNANSWERED = "SELECT COUNT(*) FROM orders.orders WHERE status = 'PENDING'"


class Orders:
    """Orders at a steady rate, and how long each took."""

    def __init__(self, url: str) -> None:
        self.url = f"{url}/order-service/kim/orders"
        self.failed = 0
        self._seconds: list[float] = []
        self._stop = threading.Event()
        self._numbers = itertools.count()

    @contextmanager
    def coming(self) -> Iterator[None]:
        """Let them come for as long as the block lasts."""
        began = time.monotonic()
        customers = [threading.Thread(target=self._order, args=(began,)) for _ in range(CUSTOMERS)]
        for customer in customers:
            customer.start()
        try:
            yield
        finally:
            self._stop.set()
            for customer in customers:
                customer.join()

    def tell(self, phase: str) -> float:
        """Print how long orders took since the last time; the 99th of a hundred, in seconds."""
        took, self._seconds = sorted(self._seconds), []
        p99 = took[len(took) * 99 // 100]
        middle = statistics.median(took)
        print(
            f"{phase:<12} {len(took):>6} orders   p50 {middle * 1000:5.1f} ms"
            f"   p99 {p99 * 1000:6.1f} ms   slowest {took[-1] * 1000:6.1f} ms   {self.failed} failed",
            flush=True,
        )
        return p99

    def _order(self, began: float) -> None:
        with httpx.Client(timeout=30) as http:
            asked = {"productId": "CATALOG-001", "qty": 1, "unitPrice": 1500}
            while not self._stop.wait(
                max(0.0, (due := began + next(self._numbers) / RATE) - time.monotonic())
            ):
                if http.post(self.url, json=asked).status_code != 201:
                    self.failed += 1
                self._seconds.append(time.monotonic() - due)  # One that had to wait for another waited, too.


def outage(found: Stage, seconds: float) -> None:
    """Take Kafka away for so long, and tell what was felt before, meanwhile and after."""
    _, url = found.serve("api", ours("api"))
    found.empty()
    for word in WORKERS:
        found.run(word, ours(word)).start()
    orders = Orders(url)
    with orders.coming():
        time.sleep(BEFORE_SECONDS / 4)
        orders.tell("warming up")
        time.sleep(BEFORE_SECONDS)
        before = orders.tell("before")
        found.lab.kafka.stop()
        time.sleep(seconds)
        during = orders.tell("away")
        waiting = found.sql(UNANSWERED)[0][0]
        found.lab.kafka.start()
        back = time.monotonic()
        time.sleep(BEFORE_SECONDS / 2)
        orders.tell("back again")
    while found.sql(UNANSWERED)[0][0]:
        time.sleep(0.1)
    print(f"p99 away / before: {during / before:.2f}")
    print(f"{waiting} orders waited; all were answered {time.monotonic() - back:.0f} s after Kafka was back,")
    print(f"with {RATE} more coming each second for the first {BEFORE_SECONDS / 2:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", type=float)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder)) as found:
        outage(found, minutes * 60)


if __name__ == "__main__":
    main()
