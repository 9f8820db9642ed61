"""Kafka is down for MINUTES while orders come in: does a customer notice? `python -m bench.outage 3`"""

import argparse
import random
import statistics
import tempfile
import time
from pathlib import Path

from bench.stage import Stage, percentile, stage
from rig.customers import Customers
from rig.deployment import deployed

RATE = 200  # Orders a second.
CUSTOMERS = 8
BEFORE_SECONDS = 60
UNANSWERED = "SELECT COUNT(*) FROM orders.orders WHERE status = 'PENDING'"


def report(phase: str, customers: Customers) -> float:
    """Print how long the orders of this phase took, and forget them; the 99th percentile in seconds."""
    delays, failed = customers.delays(), customers.failures.total()
    customers.told.clear()
    p99 = percentile(delays, 99)
    print(
        f"{phase:<12} {len(delays):>6} orders   p50 {statistics.median(delays) * 1000:5.1f} ms"
        f"   p99 {p99 * 1000:6.1f} ms   slowest {delays[-1] * 1000:6.1f} ms   {failed} failed",
        flush=True,
    )
    return p99


def outage(on: Stage, seconds: float) -> None:
    """Stop Kafka for so long, and print what customers notice before, during and after it."""
    with deployed(on.lab, on.databases, on.folder, LOG_LEVEL="warning") as deployment:
        on.empty()
        products, chance = {"CATALOG-001": 1500}, random.Random(1)
        customers = Customers([deployment.url], products, chance, rate=RATE, crowd=CUSTOMERS, seconds=30)
        with customers.ordering():
            time.sleep(BEFORE_SECONDS / 4)
            report("warming up", customers)
            time.sleep(BEFORE_SECONDS)
            before = report("before", customers)
            on.lab.kafka.stop()
            time.sleep(seconds)
            during = report("down", customers)
            pending = on.number(UNANSWERED)
            on.lab.kafka.start()
            up = time.monotonic()
            time.sleep(BEFORE_SECONDS / 2)
            report("up again", customers)
        while on.number(UNANSWERED):
            time.sleep(0.1)
    print(f"p99 down / before: {during / before:.2f}")
    took = time.monotonic() - up
    print(f"{pending} orders were pending; all were answered {took:.0f} s after Kafka was up again,")
    print(f"with {RATE} more orders each second for the first {BEFORE_SECONDS / 2:.0f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("minutes", type=float)
    minutes = parser.parse_args().minutes
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder)) as on:
        outage(on, minutes * 60)


if __name__ == "__main__":
    main()
