"""Everything private of kafka-python that this package uses, because the library has no public way to it.

`tests/test_quirks.py` fails when another version is installed: look at each function again, then change
`CHECKED`. `tests/events/brokers/kafka/`, on real Kafka, shows whether each still does its work.
"""

from typing import Any

from kafka import TopicPartition

CHECKED = "3.0.12"  # The version of kafka-python that these functions were checked against.


def sends_heartbeats(consumer: Any) -> bool:
    """Whether a member of a group still sends heartbeats: one whose instance name was taken does not."""
    return bool(consumer._coordinator._heartbeat_enabled)


def join_again(consumer: Any) -> None:
    """Let a consumer join its group again with the next poll."""
    consumer._coordinator.request_rejoin()


def unreadable_at(consumer: Any) -> tuple[TopicPartition, int] | None:
    """The partition and the offset at which the library could not read a batch."""
    batch = consumer._fetcher._next_partition_records
    return (batch.topic_partition, batch.next_fetch_offset) if batch else None


def consumed_offsets(consumer: Any) -> dict[TopicPartition, Any]:
    """How far each partition was read, gaps included (aborted transactions, control records)."""
    offsets: dict[TopicPartition, Any] = consumer._subscription.all_consumed_offsets()
    return offsets


def topic_id(consumer: Any, topic: str) -> Any:
    """The id of a topic in the metadata that the client has; None if it has none."""
    return consumer._cluster.topic_id(topic)


def refresh_metadata(consumer: Any, timeout_ms: int) -> None:
    """Request the cluster's metadata, and wait for it."""
    consumer._net.run(consumer._manager.wait_for, consumer._cluster.request_update(), timeout_ms)


def end_sender(producer: Any) -> None:
    """End a producer's thread although records are in flight: `close` would give up and leave it."""
    producer._sender.force_close()
    producer._sender.join()
