"""Polls records from Kafka, for a subscription, or for a reader without a consumer group."""

from collections.abc import Iterable, Sequence
from typing import Any

import kafka
from kafka import TopicPartition
from kafka.partitioner.default import murmur2

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


class KafkaPartitionReader:
    """Reads one partition from a time on, without a consumer group."""

    def __init__(self, servers: Servers, topic: str, key: bytes, *, since: int) -> None:
        self._consumer = consumer(servers, group_id=None, auto_offset_reset="earliest")
        try:
            with translated():
                self._place = _place_of(partitions(self._consumer, [topic]), key)
                self._consumer.assign([self._place])
                begin, first, self._end = self._offsets(since)
                self._consumer.seek(self._place, first)
        except BaseException:
            self.close()
            raise
        self.begins_late = 0 < begin == first

    @property
    def partition(self) -> int:
        return int(self._place.partition)

    @property
    def is_at_end(self) -> bool:
        with translated():
            return bool(self._consumer.position(self._place, timeout_ms=ms(REQUEST_SECONDS)) >= self._end)

    def poll(self, *, seconds: float) -> list[Record]:
        return poll(self._consumer, seconds)

    def close(self) -> None:
        end(lambda: self._consumer.close(timeout_ms=ms(CLOSE_SECONDS)))

    def _offsets(self, since: int) -> tuple[int, int, int]:
        """The partition's first offset, that of the first record of *since* or later, and its end."""
        place, patience = self._place, ms(REQUEST_SECONDS)
        begin = self._consumer.beginning_offsets([place], timeout_ms=patience)[place]
        last = self._consumer.end_offsets([place], timeout_ms=patience)[place]
        found = self._consumer.offsets_for_times({place: since}, timeout_ms=patience)[place]
        return begin, last if found is None else found.offset, last


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


def _place_of(places: Sequence[TopicPartition], key: bytes) -> TopicPartition:
    """The partition of the records with this key, as the partitioners of Kafka's clients choose it."""
    return places[(murmur2(key) & 0x7FFFFFFF) % len(places)]


def poll(client: Any, seconds: float) -> list[Record]:
    """The next records. Empty if none comes within *seconds*."""
    with translated():
        batches = client.poll(timeout_ms=ms(seconds))
    return [
        Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers))
        for batch in batches.values()
        for r in batch
    ]
