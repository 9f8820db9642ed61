"""A record's partition is the one that Kafka's own clients choose."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kafka.partitioner.default import DefaultPartitioner

from orders_service.events.brokers.kafka.partitioning import ByKey

LARGEST = 12


def cluster(partitions: int) -> SimpleNamespace:
    """A cluster with one topic."""
    known = dict.fromkeys(range(partitions)).keys()
    return SimpleNamespace(
        topics=lambda: {"topic"} if partitions else set(),
        partitions_for_topic=lambda _: set(known) or None,
        available_partitions_for_topic=lambda _: set(known),
    )


@given(key=st.binary(max_size=100), partitions=st.integers(1, LARGEST))
def test_a_key_has_the_partition_that_the_library_chooses(key: bytes, partitions: int) -> None:
    given = ("topic", None, key, None, b"", cluster(partitions))

    assert ByKey().partition(*given) == DefaultPartitioner().partition(*given)


def test_a_record_without_a_key_has_any_partition() -> None:
    found = {ByKey().partition("topic", None, None, None, b"", cluster(3)) for _ in range(100)}

    assert found == {0, 1, 2}


def test_a_topic_that_is_missing_is_refused() -> None:
    with pytest.raises(ValueError, match="topic not found"):
        ByKey().partition("topic", None, b"key", None, b"", cluster(0))
