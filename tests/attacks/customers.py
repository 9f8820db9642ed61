"""A hundred good clients: each keeps a connection and places an order now and then. A process of its own.

`python -m tests.attacks.customers PORT SECONDS` prints one line of JSON: how many orders were placed, their
latencies in milliseconds (p50, p99, the longest), and how many requests failed for each reason.
"""

import json
import random
import sys

from rig.customers import Customers

CLIENTS = 100
RATE = 300  # Orders a second of all clients together.
PRODUCTS = {"CATALOG-001": 1500}


def main(port: int, seconds: float) -> None:
    """Let all clients order for so many seconds, and print the report."""
    url = f"http://127.0.0.1:{port}"
    clients = Customers([url], PRODUCTS, random.Random(), rate=RATE, crowd=CLIENTS, seconds=10)
    clients.order_for(seconds)
    times = clients.latencies() or [0.0]
    report = {
        "placed": clients.accepted,
        "p50": times[len(times) // 2] * 1000,
        "p99": times[len(times) * 99 // 100] * 1000,
        "longest": times[-1] * 1000,
        "failures": clients.failures,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]))
