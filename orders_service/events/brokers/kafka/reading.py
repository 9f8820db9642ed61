"""Polls records from Kafka, for a subscription, or for a reader without a consumer group."""

from collections.abc import Iterable, Sequence
from typing import Any

import kafka
from kafka import TopicPartition

from orders_service.events.brokers.kafka.client import (
    CLOSE_SECONDS,
    FETCH_SECONDS,
    REQUEST_SECONDS,
    Servers,
    connect,
    end,
    ms,
    translated,
)
from orders_service.events.brokers.port import Record, TopicMissing

BATCH = 500


class KafkaReader:
    """Reads every partition from its present start or end, without a consumer group."""

    def __init__(self, servers: Servers, topics: Sequence[str], *, from_start: bool) -> None:
        self._consumer = consumer(servers, group_id=None, auto_offset_reset="earliest")
        try:
            with translated():
                places = partitions(self._consumer, topics)
                find = self._consumer.beginning_offsets if from_start else self._consumer.end_offsets
                self._consumer.assign(places)
                for place, offset in find(places, timeout_ms=ms(REQUEST_SECONDS)).items():
                    self._consumer.seek(place, offset)
        except BaseException:
            self.close()
            raise

    def poll(self, *, seconds: float) -> list[Record]:
        return poll(self._consumer, seconds)

    def close(self) -> None:
        end(lambda: self._consumer.close(timeout_ms=ms(CLOSE_SECONDS)))


def consumer(servers: Servers, **settings: object) -> Any:
    """A `KafkaConsumer` that returns no records of open or aborted transactions."""
    return connect(
        kafka.KafkaConsumer,
        servers,
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_poll_records=BATCH,
        fetch_max_wait_ms=ms(FETCH_SECONDS),
        request_timeout_ms=ms(REQUEST_SECONDS),
        **settings,
    )


def partitions(client: Any, topics: Iterable[str]) -> list[TopicPartition]:
    """Every partition of *topics*; raises `TopicMissing`."""
    places = []
    with translated():
        for topic in topics:
            found = client.partitions_for_topic(topic)
            if not found:
                raise TopicMissing(topic)
            places += [TopicPartition(topic, partition) for partition in sorted(found)]
    return places


def poll(client: Any, seconds: float) -> list[Record]:
    """The next records. Empty if none comes within *seconds*."""
    with translated():
        batches = client.poll(timeout_ms=ms(seconds))
    return [
        Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers))
        for batch in batches.values()
        for r in batch
    ]
