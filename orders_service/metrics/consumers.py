"""Metrics of the consumers."""

from collections import Counter as Counts
from collections.abc import Iterable, Mapping
from itertools import product

from prometheus_client import Counter, Gauge, Histogram

from orders_service.metrics import REGISTRY

OUTCOMES = ("applied", "skipped", "dead-letter")

RECORDS = Counter(
    "orders_consumer_records",
    "Records that were read and acknowledged, by outcome.",
    ["group", "topic", "outcome"],
    registry=REGISTRY,
)
BATCH_SECONDS = Histogram(
    "orders_consumer_batch_seconds",
    "Time from reading a batch to its acknowledgement.",
    ["group"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    registry=REGISTRY,
)
LAG = Gauge(
    "orders_consumer_lag",
    "Offsets of the consumer's partitions that it has not read.",
    ["group", "topic", "partition"],
    registry=REGISTRY,
)
REBALANCES = Counter(
    "orders_consumer_rebalances",
    "Rebalances of the group that the consumer took part in, without its first join.",
    ["group"],
    registry=REGISTRY,
)
DEAD_LETTERS = Counter(
    "orders_dead_letters",
    "Dead letters that this consumer wrote, by reason.",
    ["database", "reason"],
    registry=REGISTRY,
)


class ConsumerMetrics:
    """The series of one consumer. Those whose labels are known begin at 0."""

    def __init__(self, *, group: str, topics: Iterable[str], database: str, reasons: Iterable[str]) -> None:
        """*reasons* are those that a dead letter of this consumer may have."""
        self._group = group
        self._database = database
        self._batch_seconds = BATCH_SECONDS.labels(group)
        self._rebalances = REBALANCES.labels(group)
        self._generation: object = None
        self._places: set[tuple[str, int]] = set()  # The partitions whose lag is shown.
        for topic, outcome in product(topics, OUTCOMES):
            RECORDS.labels(group, topic, outcome)
        for reason in reasons:
            DEAD_LETTERS.labels(database, reason)

    def count_batch(
        self, records: Iterable[str], *, skipped: Iterable[str], dead: Iterable[str], seconds: float
    ) -> None:
        """Count a batch that was acknowledged. Its records are given by their topics."""
        found = {"skipped": Counts(skipped), "dead-letter": Counts(dead)}
        found["applied"] = Counts(records) - found["skipped"] - found["dead-letter"]
        for outcome, counts in found.items():
            for topic, count in counts.items():
                RECORDS.labels(self._group, topic, outcome).inc(count)
        self._batch_seconds.observe(seconds)

    def count_dead_letter(self, reason: str) -> None:
        """Count a dead letter, after it was committed."""
        DEAD_LETTERS.labels(self._database, reason).inc()

    def note_generation(self, generation: object) -> None:
        """Count a rebalance if *generation* is another one than before. The first join is none."""
        if generation is None or generation == self._generation:
            return
        if self._generation is not None:
            self._rebalances.inc()
        self._generation = generation

    def show_lag(self, lag: Mapping[tuple[str, int], int]) -> None:
        """Show the lag of each partition. Partitions that were taken away are shown no longer."""
        for topic, partition in self._places - lag.keys():
            LAG.remove(self._group, topic, str(partition))
        for (topic, partition), offsets in lag.items():
            LAG.labels(self._group, topic, str(partition)).set(offsets)
        self._places = set(lag)
