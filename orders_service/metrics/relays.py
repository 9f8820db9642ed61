"""Metrics of the relays. A lane is a topic."""

from prometheus_client import Counter, Gauge, Histogram

from orders_service.metrics import REGISTRY

OUTCOMES = ("acknowledged", "failed", "set-aside")

EVENTS = Counter(
    "orders_relay_events",
    "Events that were sent, by lane and outcome.",
    ["lane", "outcome"],
    registry=REGISTRY,
)
ACK_SECONDS = Histogram(
    "orders_relay_ack_seconds",
    "Time from sending a batch until the relay sees the broker's last acknowledgement.",
    ["lane"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    registry=REGISTRY,
)
LEASE_HELD = Gauge(
    "orders_relay_lease_held",
    "1 if this relay holds the lease of the lane, 0 if not.",
    ["lane"],
    registry=REGISTRY,
)


class LaneMetrics:
    """The series of one lane. All of them begin at 0.

    The label is a topic of our own outbox, so its values are as many as the topics that we ever sent to.
    """

    def __init__(self, lane: str) -> None:
        self._events = {outcome: EVENTS.labels(lane, outcome) for outcome in OUTCOMES}
        self._ack_seconds = ACK_SECONDS.labels(lane)
        self._lease_held = LEASE_HELD.labels(lane)

    def count_events(self, *, acknowledged: int, failed: int, set_aside: int) -> None:
        """Count the events of a batch, after its mark was committed."""
        for outcome, count in zip(OUTCOMES, (acknowledged, failed, set_aside), strict=True):
            if count:
                self._events[outcome].inc(count)

    def observe_ack(self, seconds: float) -> None:
        """Observe the time from sending a batch to its last acknowledgement."""
        self._ack_seconds.observe(seconds)

    def show_lease(self, *, is_held: bool) -> None:
        """Show whether this relay holds the lease."""
        self._lease_held.set(is_held)
