"""The lag of a group member: how far it is behind the ends of its partitions."""

import time
from contextlib import suppress
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from orders_service.events.brokers.kafka import quirks
from orders_service.events.brokers.kafka.client import ms

REQUEST_EVERY_SECONDS = 5.0
PATIENCE_SECONDS = 1.0  # For the answer to such a request: the next step waits meanwhile.


class Lag:
    """The lag of one joined consumer. Each fetch tells the client the end of its partition.

    While steps fail, the client holds records of the other partitions and does not fetch these again. Only
    then the ends are requested.
    """

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._is_stuck = False
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
        positions = quirks.consumed_offsets(self._consumer)
        if self._is_stuck and time.monotonic() >= self._request_at:
            self._request(list(positions))
        found = {}
        for place, position in positions.items():
            with suppress(KafkaError):  # The partition was taken away in this moment.
                fetched = self._consumer.highwater(place)
                end = max(-1 if fetched is None else fetched, self._requested.get(place, -1))
                if end >= 0:
                    found[place.topic, place.partition] = max(0, end - position.offset)
        return found

    def _request(self, places: list[TopicPartition]) -> None:
        """Request the ends. If no answer comes, the last ones stay."""
        with suppress(KafkaError):
            self._requested = self._consumer.end_offsets(places, timeout_ms=ms(PATIENCE_SECONDS))
        self._request_at = time.monotonic() + REQUEST_EVERY_SECONDS
