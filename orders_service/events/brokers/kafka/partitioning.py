"""The partition of a record: by its key, as the default partitioners of Kafka's clients choose it."""

from functools import lru_cache
from typing import Any

from kafka.partitioner.default import DefaultPartitioner, murmur2

KEYS = 10_000  # The keys are products, which come again and again. Computing a hash takes 5 µs.


class ByKey(DefaultPartitioner):  # type: ignore[misc]
    """Chooses as the library does, and remembers the hash of each key."""

    def partition(
        self, topic: str, key: Any, key_bytes: bytes | None, value: Any, value_bytes: Any, cluster: Any
    ) -> Any:
        partitions = cluster.partitions_for_topic(topic)
        if key_bytes is None or not partitions:
            return super().partition(topic, key, key_bytes, value, value_bytes, cluster)
        return sorted(partitions)[hash_of(key_bytes) % len(partitions)]


@lru_cache(maxsize=KEYS)
def hash_of(key: bytes) -> int:
    """The number whose remainder by the number of partitions is the partition."""
    return int(murmur2(key)) & 0x7FFFFFFF
