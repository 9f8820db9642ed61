"""Metrics of the API's requests."""

from prometheus_client import Counter, Histogram

from orders_service.metrics import REGISTRY

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

REQUESTS = Counter(
    "orders_http_requests",
    "Requests that were answered, by route, method and status.",
    ["route", "method", "status"],
    registry=REGISTRY,
)
DURATION = Histogram(
    "orders_http_request_duration_seconds",
    "Time to answer a request that has arrived, without requests that wait for an order.",
    ["route", "method", "status"],
    buckets=SECONDS,
    registry=REGISTRY,
)
