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


class Phases:
    """Prints how long orders took. An order belongs to the phase in which it was accepted."""

    def __init__(self, customers: Customers) -> None:
        self._customers = customers
        self._began = 0.0
        self._failed = 0

    def report(self, phase: str) -> float:
        """Print a line for *phase*, which ends now; return the 99th percentile of its delays in seconds."""
        delays, failed = self._customers.delays(self._began) or [0.0], self._customers.failures.total()
        failures, self._failed, self._began = failed - self._failed, failed, time.monotonic()
        p99 = percentile(delays, 99)
        print(
            f"{phase:<12} {len(delays):>6} orders   p50 {statistics.median(delays) * 1000:5.1f} ms"
            f"   p99 {p99 * 1000:6.1f} ms   slowest {delays[-1] * 1000:6.1f} ms   {failures} failed",
            flush=True,
        )
        return p99


def outage(on: Stage, seconds: float) -> None:
    """Stop Kafka for so long, and print what customers notice before, during and after it."""
    with deployed(on.lab, on.databases, on.folder, LOG_LEVEL="warning") as deployment:
        on.empty()
        products, chance = {"CATALOG-001": 1500}, random.Random(1)
        customers = Customers([deployment.url], products, chance, rate=RATE, crowd=CUSTOMERS, seconds=30)
        phases = Phases(customers)
        with customers.ordering():
            time.sleep(BEFORE_SECONDS / 4)
            phases.report("warming up")
            time.sleep(BEFORE_SECONDS)
            before = phases.report("before")
            on.lab.kafka.stop()
            time.sleep(seconds)
            during = phases.report("down")
            pending = on.number(UNANSWERED)
            on.lab.kafka.start()
            up = time.monotonic()
            time.sleep(BEFORE_SECONDS / 2)
            phases.report("up again")
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
