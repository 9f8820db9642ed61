"""Metrics of the group commit, and of the orders that it places."""

from prometheus_client import Counter, Gauge, Histogram

from orders_service.metrics import REGISTRY

PLACED = Counter(
    "orders_placed",
    "Orders that were placed. A request that is repeated, also by the service itself, is not counted.",
    registry=REGISTRY,
)
GROUP_SIZE = Histogram(
    "orders_committer_group_size",
    "New orders that were committed in one transaction.",
    buckets=(1, 2, 4, 8, 16, 32, 64),
    registry=REGISTRY,
)
COMMIT_SECONDS = Histogram(
    "orders_committer_commit_seconds",
    "Duration of a group's transaction, with its retry.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
    registry=REGISTRY,
)
QUEUE = Gauge(
    "orders_committer_queue",
    "Orders that wait for the next group.",
    multiprocess_mode="livesum",
    registry=REGISTRY,
)
