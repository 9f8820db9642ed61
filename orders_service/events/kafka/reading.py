"""What is read: as a member of a group, or by oneself."""

import time
from collections.abc import Iterable, Sequence
from typing import Any

import kafka
import structlog
from kafka import OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import (
    CommitFailedError,
    CorruptRecordError,
    FencedInstanceIdError,
    KafkaError,
    LogTruncationError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RetriableError,
    UnsupportedCodecError,
)
from kafka.structs import MemberState

from orders_service.events.broker import BrokerError, Record, TopicMissing
from orders_service.events.errors import BeyondReading, EventsGone, InstanceTaken
from orders_service.events.kafka.client import (
    CLOSE_SECONDS,
    COMMIT_SECONDS,
    FETCH_SECONDS,
    HEARTBEAT_SECONDS,
    JOIN_POLL_SECONDS,
    JOIN_SECONDS,
    REQUEST_SECONDS,
    SESSION_SECONDS,
    STALL_SECONDS,
    Servers,
    connect,
    end,
    ms,
    translated,
)

BATCH = 500
# A partition that was never read by the group; one whose log no longer has what comes next.
PLACE_ERRORS = (NoOffsetForPartitionError, OffsetOutOfRangeError, LogTruncationError)
# A batch that the library cannot take apart: its codec, its checksum, a header's name that is not UTF-8.
UNREADABLE = (CorruptRecordError, UnsupportedCodecError)

log = structlog.get_logger()


class KafkaSubscription:
    """A member of a consumer group. It joins with the first poll, and again after an error that stays."""

    def __init__(
        self, servers: Servers, group: str, topics: Sequence[str], *, instance: str | None, skip_gap: bool
    ) -> None:
        self._servers = servers
        self._group = group
        self._topics = topics
        self._instance = instance
        self._skip_gap = skip_gap
        self._consumer: Any = None
        self._outside_since: float | None = None

    def poll(self, *, seconds: float) -> list[Record]:
        if self._consumer is None:
            self._consumer = self._join()
            self._outside_since = time.monotonic()
        # The library throws a join away that is completed between two polls, and begins it again, which makes
        # the others join again, too. So while the group is being joined, hardly any time is left between two.
        patience = time.monotonic() + JOIN_SECONDS
        records = self._poll(seconds if self._outside_since is None else max(seconds, JOIN_POLL_SECONDS))
        while not records and self._outside_since and time.monotonic() < patience:
            records = self._poll(JOIN_POLL_SECONDS)
        return records

    def acknowledge(self, records: Sequence[Record]) -> None:
        ends: dict[TopicPartition, OffsetAndMetadata] = {}
        for record in sorted(records, key=lambda record: record.offset):
            ends[_place(record)] = OffsetAndMetadata(record.offset + 1, "", -1)
        try:
            if self._consumer is None:
                raise CommitFailedError
            self._consumer.commit(ends, timeout_ms=ms(COMMIT_SECONDS))
        except KafkaError as error:
            log.warning("offsets not committed, records may come again", group=self._group, error=str(error))

    def rewind(self, records: Sequence[Record]) -> None:
        ours = self._consumer.assignment() if self._consumer else set()
        for record in sorted(records, key=lambda record: record.offset, reverse=True):
            if _place(record) in ours:
                self._consumer.seek(_place(record), record.offset)

    def close(self) -> None:
        consumer, self._consumer = self._consumer, None
        if consumer:
            end(lambda: consumer.close(autocommit=False, timeout_ms=ms(CLOSE_SECONDS)))

    def _join(self) -> Any:
        consumer = _consumer(
            self._servers,
            group_id=self._group,
            group_instance_id=self._instance,
            auto_offset_reset="none",  # `_find_place` decides.
            partition_assignment_strategy=[CooperativeStickyAssignor],
            session_timeout_ms=ms(SESSION_SECONDS),
            heartbeat_interval_ms=ms(HEARTBEAT_SECONDS),
        )
        try:
            _places(consumer, self._topics)
            consumer.subscribe(topics=list(self._topics))
        except BaseException:
            end(consumer.close)
            raise
        return consumer

    def _poll(self, seconds: float) -> list[Record]:
        try:
            records = _poll(self._consumer, seconds)
            inside = self._consumer.group_metadata().state == MemberState.STABLE
            if inside and not self._consumer.assignment():
                _places(self._consumer, self._topics)  # Has a topic been deleted?
        except BaseException as error:
            if isinstance(error.__cause__, PLACE_ERRORS):
                self._find_place(error.__cause__)
                return []
            if isinstance(error.__cause__, UNREADABLE):
                self._name_unreadable(error.__cause__)
            if not isinstance(error.__cause__, RetriableError):
                self.close()  # The library remembers some errors for as long as a client lives.
            if isinstance(error.__cause__, FencedInstanceIdError):
                raise InstanceTaken(self._group, self._instance or "") from error
            raise
        if inside:
            self._outside_since = None
            return records
        # A leader that joined for new metadata has no reason to join any more. If that ended between two
        # polls, the library never looks at it, and stays outside without a heartbeat. Give it a reason.
        self._consumer._coordinator.request_rejoin()
        if self._outside_since is None:
            self._outside_since = time.monotonic()
        elif time.monotonic() - self._outside_since > STALL_SECONDS:
            self.close()
            raise BrokerError(f"group {self._group} could not be joined in {STALL_SECONDS:.0f} s")
        return records

    def _name_unreadable(self, problem: KafkaError) -> None:
        """Raise `BeyondReading` with the place where the library gave up.

        No dead letter: the library reads a batch whole, so past one bad record are good ones it cannot see.
        """
        if at := self._consumer._fetcher._next_partition_records:
            topic, partition = at.topic_partition
            raise BeyondReading(
                topic, partition, self._group, at.next_fetch_offset, str(problem)
            ) from problem

    def _find_place(self, lost: KafkaError) -> None:
        """Read on from where a partition begins: it is new to the group, or its log is not what it was.

        Raises `EventsGone` if records that the group had not read were deleted.
        """
        positions: Any = lost.divergent_offsets if isinstance(lost, LogTruncationError) else lost.args[0]
        with translated():
            begins = self._consumer.beginning_offsets(list(positions), timeout_ms=ms(REQUEST_SECONDS))
        for place, begin in begins.items():
            gone = isinstance(lost, OffsetOutOfRangeError) and positions[place] < begin
            if gone and not self._skip_gap:
                raise EventsGone(place.topic, place.partition, self._group, positions[place], begin)
            if not isinstance(lost, NoOffsetForPartitionError):
                # Noted at once: the old place may lie in what comes later, and that would be passed over.
                with translated():
                    self._consumer.commit(
                        {place: OffsetAndMetadata(begin, "", -1)}, timeout_ms=ms(COMMIT_SECONDS)
                    )
                log.warning(
                    "records skipped that are gone" if gone else "not the log that was read before",
                    group=self._group,
                    topic=place.topic,
                    partition=place.partition,
                    goes_on_at=begin,
                )
            if place in self._consumer.assignment():
                self._consumer.seek(place, begin)


class KafkaReader:
    """Reads every partition from where it begins or ends at this moment."""

    def __init__(self, servers: Servers, topics: Sequence[str], *, from_start: bool) -> None:
        self._consumer = _consumer(servers, group_id=None, auto_offset_reset="earliest")
        try:
            with translated():
                places = _places(self._consumer, topics)
                find = self._consumer.beginning_offsets if from_start else self._consumer.end_offsets
                self._consumer.assign(places)
                for place, offset in find(places, timeout_ms=ms(REQUEST_SECONDS)).items():
                    self._consumer.seek(place, offset)
        except BaseException:
            self.close()
            raise

    def poll(self, *, seconds: float) -> list[Record]:
        return _poll(self._consumer, seconds)

    def close(self) -> None:
        end(lambda: self._consumer.close(timeout_ms=ms(CLOSE_SECONDS)))


def _consumer(servers: Servers, **settings: object) -> Any:
    return connect(
        kafka.KafkaConsumer,
        servers,
        enable_auto_commit=False,
        max_poll_records=BATCH,
        fetch_max_wait_ms=ms(FETCH_SECONDS),
        request_timeout_ms=ms(REQUEST_SECONDS),
        **settings,
    )


def _places(consumer: Any, topics: Iterable[str]) -> list[TopicPartition]:
    """Every partition of *topics*, all of which must exist."""
    places = []
    with translated():
        for topic in topics:
            partitions = consumer.partitions_for_topic(topic)
            if not partitions:
                raise TopicMissing(topic)
            places += [TopicPartition(topic, partition) for partition in sorted(partitions)]
    return places


def _place(record: Record) -> TopicPartition:
    return TopicPartition(record.topic, record.partition)


def _poll(consumer: Any, seconds: float) -> list[Record]:
    with translated():
        batches = consumer.poll(timeout_ms=ms(seconds))
    return [
        Record(r.topic, r.partition, r.offset, r.timestamp, r.key, r.value, tuple(r.headers))
        for batch in batches.values()
        for r in batch
    ]
