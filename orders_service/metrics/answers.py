"""Metrics of the orders' answers, as the customers feel them."""

from prometheus_client import Counter, Histogram

from orders_service.metrics import REGISTRY

ANSWERED = Counter(
    "orders_answered",
    "Orders that were confirmed or rejected, with the reason of a rejection.",
    ["status", "reason"],
    registry=REGISTRY,
)
ANSWER_SECONDS = Histogram(
    "orders_answer_seconds",
    "Time from placing an order to its answer, of at most 20 orders in a batch of answers.",
    ["status"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0),
    registry=REGISTRY,
)
