"""The positions of a group member: its offset in each partition, and the topic that the offset belongs to."""

import time
from collections.abc import Collection, Iterable, Sequence
from typing import Any
from uuid import UUID

import structlog
from kafka import OffsetAndMetadata, TopicPartition
from kafka.errors import (
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
)

from orders_service.events.brokers.kafka import quirks
from orders_service.events.brokers.kafka.client import COMMIT_SECONDS, REQUEST_SECONDS, ms, translated
from orders_service.events.brokers.port import Record
from orders_service.events.errors import EventsGone

# The group has no offset in a partition, or the log no longer has the next offset.
POSITION_ERRORS = (NoOffsetForPartitionError, OffsetOutOfRangeError, LogTruncationError)
NO_TOPIC = UUID(int=0)
GAPS_SECONDS = 5.0  # Between two commits of offsets that were passed over, while records come.

log = structlog.get_logger()


class Positions:
    """The offsets of one joined consumer. It reads, commits and corrects them.

    Each committed offset carries the id of its topic as metadata. A topic that is deleted and created again
    has another id: its records are then read from the start, whatever the offset says. Offsets without
    metadata (set by a tool, or by an older version) are taken to belong to the present topic.
    """

    def __init__(self, consumer: Any, group: str, *, skip_gap: bool) -> None:
        self._consumer = consumer
        self._group = group
        self._skip_gap = skip_gap
        self._generation: tuple[str, int] | None = None
        self._topics: dict[TopicPartition, str] = {}  # The id of the topic that is read; "" if unknown.
        self._committed: dict[TopicPartition, int] = {}
        self._gaps_due = time.monotonic()
        self._open: dict[TopicPartition, int] = {}  # The offset behind records not acknowledged yet.

    @property
    def generation(self) -> tuple[str, int] | None:
        """A value that changes if another member may have read a partition in between. None at first."""
        return self._generation

    def checked(self, records: Sequence[Record], generation: tuple[str, int]) -> list[Record]:
        """The *records* without those of a topic that was deleted and created again: these are read anew.

        It also commits the offsets that were passed over: aborted records and transaction markers, which no
        consumer receives. Otherwise, once the log deletes them, the group would seem to have missed events.
        While records come it does so every `GAPS_SECONDS`.
        """
        assigned = self._consumer.assignment()
        if generation != self._generation or assigned != self._topics.keys():
            self._refresh()  # The metadata may be older than an offset that another member committed.
            self._adopt(assigned)
            self._generation = generation
        if changed := self._changed():
            self._begin_anew(changed)
        kept = [record for record in records if place_of(record) not in changed]
        self.hand_out(kept)
        if not records or time.monotonic() >= self._gaps_due:
            self._commit_gaps()
        return kept

    def hand_out(self, records: Iterable[Record]) -> None:
        """Note that *records* are handed out: no offset behind them is committed before `acknowledge`."""
        for record in records:
            self._open[place_of(record)] = record.offset + 1

    def acknowledge(self, records: Iterable[Record]) -> None:
        """Commit the offsets behind *records*."""
        ends: dict[TopicPartition, int] = {}
        for record in records:
            place = place_of(record)
            ends[place] = max(record.offset + 1, ends.get(place, 0))
        self._commit(ends)
        for place, end in ends.items():
            if self._open.get(place, end) <= end:
                self._open.pop(place, None)

    def rewind(self, records: Iterable[Record]) -> None:
        """Read *records* again."""
        assigned = self._consumer.assignment()
        for record in sorted(records, key=lambda record: record.offset, reverse=True):
            if place_of(record) in assigned:
                self._consumer.seek(place_of(record), record.offset)

    def correct(self, lost: KafkaError) -> None:
        """Continue at the start of a partition that is new to the group, or whose log was truncated.

        Raises `EventsGone` if records that the group had not read were deleted.
        """
        self._refresh()
        at: Any = lost.divergent_offsets if isinstance(lost, LogTruncationError) else lost.args[0]
        begins = self._begins(at)
        for place, begin in begins.items():
            gone = isinstance(lost, OffsetOutOfRangeError) and at[place] < begin
            if gone:
                self._accept_gap(place, at[place], begin)
            if isinstance(lost, NoOffsetForPartitionError) and begin > 0:
                self._log_new_start(
                    "the group has no committed offset, and the oldest records were deleted", place, begin
                )
            if not isinstance(lost, NoOffsetForPartitionError):
                # Committed at once: the log may grow past the old offset, and a restart would skip records.
                self._topics[place] = self._present(place.topic)
                with translated():
                    self._commit({place: begin})
                if not gone:
                    self._log_new_start("the log ends before the group's offset", place, begin)
            if place in self._consumer.assignment():
                self._open.pop(place, None)
                self._consumer.seek(place, begin)

    def _adopt(self, assigned: Collection[TopicPartition]) -> None:
        """Learn which topic each partition's committed offset belongs to."""
        topics: dict[TopicPartition, str] = {}
        for place in assigned:
            with translated():
                committed = self._consumer.committed(place, metadata=True, timeout_ms=ms(REQUEST_SECONDS))
            topics[place] = topic_in(committed) or self._topics.get(place) or self._present(place.topic)
            if committed:
                self._committed[place] = committed.offset
        self._open = {place: end for place, end in self._open.items() if place in self._topics}
        self._topics = topics

    def _changed(self) -> set[TopicPartition]:
        """Partitions whose topic was deleted and created again."""
        changed = set()
        for place, topic in self._topics.items():
            present = self._present(place.topic)
            if present and topic and present != topic:
                changed.add(place)
            elif present and not topic:
                self._topics[place] = present
        return changed

    def _begin_anew(self, places: Collection[TopicPartition]) -> None:
        begins = self._begins(places)
        for place, begin in begins.items():
            if begin > 0:
                self._accept_gap(place, 0, begin)
        self._topics |= {place: self._present(place.topic) for place in places}
        with translated():
            self._commit(begins)
        for place, begin in begins.items():
            self._log_new_start(
                "the topic was deleted and created again; reading it from its start", place, begin
            )
            self._open.pop(place, None)
            self._consumer.seek(place, begin)

    def _accept_gap(self, place: TopicPartition, position: int, begin: int) -> None:
        """Log a warning if *skip_gap* allows the gap, else raise `EventsGone`."""
        if not self._skip_gap:
            raise EventsGone(place.topic, place.partition, self._group, position, begin)
        self._log_new_start("deleted records were skipped", place, begin)

    def _log_new_start(self, what: str, place: TopicPartition, begin: int) -> None:
        where = {"group": self._group, "topic": place.topic, "partition": place.partition}
        log.warning(what, **where, goes_on_at=begin)

    def _commit_gaps(self) -> None:
        """Commit offsets that were passed over without a record, where every record is acknowledged."""
        self._gaps_due = time.monotonic() + GAPS_SECONDS
        positions = quirks.consumed_offsets(self._consumer)
        passed = {
            place: position.offset
            for place, position in positions.items()
            if place in self._topics
            and place not in self._open
            and position.offset > self._committed.get(place, -1)
        }
        if passed:
            try:
                self._commit(passed)
            except KafkaError as error:
                log.info("cannot commit offsets yet", group=self._group, error=str(error))

    def _commit(self, ends: dict[TopicPartition, int]) -> None:
        offsets = {
            place: OffsetAndMetadata(end, self._topics.get(place, ""), -1) for place, end in ends.items()
        }
        self._consumer.commit(offsets, timeout_ms=ms(COMMIT_SECONDS))
        self._committed |= ends

    def _begins(self, places: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        with translated():
            begins: dict[TopicPartition, int] = self._consumer.beginning_offsets(
                list(places), timeout_ms=ms(REQUEST_SECONDS)
            )
        return begins

    def _present(self, topic: str) -> str:
        """The present id of a topic; "" if this client does not know it, or Kafka is older than 2.8."""
        found = quirks.topic_id(self._consumer, topic)
        return "" if found in (None, NO_TOPIC) else str(found)

    def _refresh(self) -> None:
        """Request the cluster's metadata, and wait for it."""
        with translated():
            quirks.refresh_metadata(self._consumer, ms(REQUEST_SECONDS))


def place_of(record: Record) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)


def topic_in(committed: OffsetAndMetadata | None) -> str:
    """The topic's id in a committed offset's metadata; "" if that holds something else."""
    try:
        return str(UUID(committed.metadata)) if committed and committed.metadata else ""
    except ValueError:
        return ""
