"""The lag of a group member: how far it is behind the ends of its partitions."""

import time
from contextlib import suppress
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from orders_service.events.brokers.kafka import quirks
from orders_service.events.brokers.kafka.client import ms

REQUEST_EVERY_SECONDS = 5.0
UNKNOWN_SECONDS = 5.0  # By then a fetch has certainly been answered, even one that found no records.
PATIENCE_SECONDS = 1.0  # For the answer to such a request: the next step waits meanwhile.


class Lag:
    """The lag of one joined consumer. Each fetch tells the client the end of its partition.

    While steps fail, the client holds records of the other partitions and does not fetch these again. And a
    partition that was taken away and given back between two fetches is not mentioned in their answers until
    it has another record. Only then the ends are requested.
    """

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._is_stuck = False
        self._unknown_since: float | None = None  # Since when a partition's end is not known.
        self._request_at = 0.0
        self._requested: dict[TopicPartition, int] = {}

    def note_rewound(self) -> None:
        """A step failed: its records are read again."""
        self._is_stuck = True

    def note_acknowledged(self) -> None:
        """A step succeeded: the client fetches again."""
        self._is_stuck = False
        self._requested = {}

    def by_place(self) -> dict[tuple[str, int], int]:
        """The lag in each partition whose end is known. The end is known after the first fetch."""
        positions, now = quirks.consumed_offsets(self._consumer), time.monotonic()
        if (self._is_stuck or self._is_overdue(now)) and now >= self._request_at:
            self._request(list(positions))
        found = {}
        for place, position in positions.items():
            with suppress(KafkaError):  # The partition was taken away in this moment.
                fetched = self._consumer.highwater(place)
                end = max(-1 if fetched is None else fetched, self._requested.get(place, -1))
                if end >= 0:
                    found[place.topic, place.partition] = max(0, end - position.offset)
        is_complete = len(found) == len(positions)
        self._unknown_since = None if is_complete else self._unknown_since or now
        return found

    def _is_overdue(self, now: float) -> bool:
        """Whether no fetch has told the end of a partition for so long that it should be requested."""
        return self._unknown_since is not None and now - self._unknown_since > UNKNOWN_SECONDS

    def _request(self, places: list[TopicPartition]) -> None:
        """Request the ends. If no answer comes, the last ones stay."""
        with suppress(KafkaError):
            self._requested = self._consumer.end_offsets(places, timeout_ms=ms(PATIENCE_SECONDS))
        self._request_at = time.monotonic() + REQUEST_EVERY_SECONDS
