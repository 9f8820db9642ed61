"""The lag of a group member: how far it is behind the ends of its partitions."""

import time
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import Any

from kafka import TopicPartition
from kafka.errors import KafkaError

from orders_service.events.brokers.kafka import quirks
from orders_service.events.brokers.kafka.client import ms

REQUEST_EVERY_SECONDS = 5.0
REQUEST_AGAIN_SECONDS = 30.0  # After a request that was not answered.
UNKNOWN_SECONDS = 5.0  # An idle partition is fetched within a second; after this its end is requested.
PATIENCE_SECONDS = 1.0  # For the answer to such a request: the next step waits meanwhile.


class Lag:
    """The lag of one joined consumer. Each fetch tells the client the end of its partition.

    The ends are requested only in two cases. While steps fail, the client holds records of the other
    partitions and does not fetch these again. After a partition was taken away and given back between two
    fetches, the broker does not mention it until it has a new record.
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
        if self._is_stuck:
            self._is_stuck = False
            self._requested = {}

    def by_place(self) -> dict[tuple[str, int], int]:
        """The lag in each partition whose end is known. The end is known after the first fetch."""
        positions = quirks.consumed_offsets(self._consumer)
        fetched = self._fetched(positions)
        self._request_missing(positions, fetched)
        found = {}
        for place, position in positions.items():
            ends = [known[place] for known in (fetched, self._requested) if place in known]
            if ends:
                found[place.topic, place.partition] = max(0, max(ends) - position.offset)
        return found

    def _fetched(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """The ends that fetches have told."""
        found = {}
        for place in places:
            with suppress(KafkaError):  # The partition was taken away in this moment.
                end = self._consumer.highwater(place)
                if end is not None:
                    found[place] = end
        return found

    def _request_missing(
        self, places: Collection[TopicPartition], fetched: Collection[TopicPartition]
    ) -> None:
        """Request the ends that fetches do not tell, if it is time to."""
        now = time.monotonic()
        unknown = [place for place in places if place not in fetched]
        if not self._is_stuck:
            self._requested = {place: end for place, end in self._requested.items() if place in unknown}
        missing = [place for place in unknown if place not in self._requested]
        self._unknown_since = (self._unknown_since or now) if missing else None
        is_overdue = self._unknown_since is not None and now - self._unknown_since > UNKNOWN_SECONDS
        if (self._is_stuck or is_overdue) and now >= self._request_at:
            self._request(places if self._is_stuck else missing)

    def _request(self, places: Collection[TopicPartition]) -> None:
        """Request the ends. If no answer comes, the last ones stay."""
        pause = REQUEST_AGAIN_SECONDS
        with suppress(KafkaError):
            ends = self._consumer.end_offsets(list(places), timeout_ms=ms(PATIENCE_SECONDS))
            self._requested |= ends
            pause = REQUEST_EVERY_SECONDS
        self._request_at = time.monotonic() + pause
