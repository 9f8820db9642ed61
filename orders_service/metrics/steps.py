"""Metrics of every worker's steps."""

from prometheus_client import Counter

from orders_service.metrics import REGISTRY

FAILURES = Counter(
    "orders_step_failures",
    "Steps that failed and were repeated.",
    ["worker"],
    registry=REGISTRY,
)
