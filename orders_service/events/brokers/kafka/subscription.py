"""The subscription: a member of a Kafka consumer group."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from kafka.coordinator.assignors.cooperative_sticky import CooperativeStickyAssignor
from kafka.errors import (
    CommitFailedError,
    CorruptRecordError,
    FencedInstanceIdError,
    KafkaError,
    RetriableError,
    UnsupportedCodecError,
)
from kafka.structs import MemberState

from orders_service.events.brokers.kafka import quirks, reading
from orders_service.events.brokers.kafka.client import (
    CLOSE_SECONDS,
    HEARTBEAT_SECONDS,
    JOIN_POLL_SECONDS,
    JOIN_SECONDS,
    SESSION_SECONDS,
    STALL_SECONDS,
    Servers,
    end,
    ms,
)
from orders_service.events.brokers.kafka.lag import Lag
from orders_service.events.brokers.kafka.positions import POSITION_ERRORS, Positions
from orders_service.events.brokers.port import BrokerError, Record
from orders_service.events.errors import BeyondReading, InstanceTaken

# A batch that the library cannot read: its codec, its checksum, a header name that is not UTF-8.
UNREADABLE = (CorruptRecordError, UnsupportedCodecError)

log = structlog.get_logger()


class KafkaSubscription:
    """A member of a consumer group. It joins in the first poll, and again after a fatal error."""

    def __init__(
        self, servers: Servers, group: str, topics: Sequence[str], *, instance: str | None, skip_gap: bool
    ) -> None:
        self._servers = servers
        self._group = group
        self._topics = topics
        self._instance = instance
        self._skip_gap = skip_gap
        self._consumer: Any = None
        # Those of `_consumer`.
        self._positions: Positions | None = None
        self._lag: Lag | None = None
        self._outside_since: float | None = None

    @property
    def generation(self) -> object:
        return self._positions.generation if self._positions else None

    def poll(self, *, seconds: float) -> list[Record]:
        if self._consumer is None:
            self._consumer = self._join()
            self._positions = Positions(self._consumer, self._group, skip_gap=self._skip_gap)
            self._lag = Lag(self._consumer)
            self._outside_since = time.monotonic()
        # The library discards a join that completes between two polls, and starts it again, which makes the
        # other members rejoin, too. So while the group is being joined, one poll follows another at once.
        patience = time.monotonic() + JOIN_SECONDS
        records = self._poll(seconds if self._outside_since is None else max(seconds, JOIN_POLL_SECONDS))
        while not records and self._outside_since and time.monotonic() < patience:
            records = self._poll(JOIN_POLL_SECONDS)
        return records

    def acknowledge(self, records: Sequence[Record]) -> None:
        try:
            if self._positions is None or self._lag is None:
                raise CommitFailedError
            self._lag.note_acknowledged()
            self._positions.acknowledge(records)
        except KafkaError as error:
            log.warning(
                "cannot commit offsets; records may be delivered again", group=self._group, error=str(error)
            )

    def rewind(self, records: Sequence[Record]) -> None:
        if self._positions and self._lag:
            self._lag.note_rewound()
            self._positions.rewind(records)

    def lag(self) -> Mapping[tuple[str, int], int]:
        return self._lag.by_place() if self._lag else {}

    def close(self) -> None:
        consumer, self._consumer, self._positions, self._lag = self._consumer, None, None, None
        if consumer:
            end(lambda: consumer.close(autocommit=False, timeout_ms=ms(CLOSE_SECONDS)))

    def _join(self) -> Any:
        consumer = reading.consumer(
            self._servers,
            group_id=self._group,
            group_instance_id=self._instance,
            auto_offset_reset="none",  # `Positions.correct` decides.
            partition_assignment_strategy=[CooperativeStickyAssignor],
            session_timeout_ms=ms(SESSION_SECONDS),
            heartbeat_interval_ms=ms(HEARTBEAT_SECONDS),
        )
        try:
            reading.partitions(consumer, self._topics)
            consumer.subscribe(topics=list(self._topics))
        except BaseException:
            end(consumer.close)
            raise
        return consumer

    def _poll(self, seconds: float) -> list[Record]:
        assert self._positions
        try:
            records = reading.poll(self._consumer, seconds)
            group = self._consumer.group_metadata()
            # A member whose instance name another process has taken stays "stable", but sends no heartbeat.
            inside = group.state == MemberState.STABLE and quirks.sends_heartbeats(self._consumer)
            if inside:
                records = self._checked(self._positions, records, (group.member_id, group.generation_id))
            else:
                self._positions.hand_out(records)
        except BaseException as error:
            if isinstance(error.__cause__, POSITION_ERRORS):
                self._positions.correct(error.__cause__)
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
        # A leader that rejoins because of new metadata drops that reason when it assigns the partitions. If
        # the join ends between two polls, the library never reads its result, and stays outside the group
        # without a heartbeat. So request another rejoin.
        quirks.join_again(self._consumer)
        if self._outside_since is None:
            self._outside_since = time.monotonic()
        elif time.monotonic() - self._outside_since > STALL_SECONDS:
            self.close()
            raise BrokerError(f"could not join group {self._group} within {STALL_SECONDS:.0f} s")
        return records

    def _checked(
        self, positions: Positions, records: list[Record], generation: tuple[str, int]
    ) -> list[Record]:
        """The *records* without those of topics that were created again; see `Positions.checked`."""
        if not self._consumer.assignment():
            reading.partitions(self._consumer, self._topics)  # Raises if a topic was deleted.
        try:
            return positions.checked(records, generation)
        except BaseException:
            positions.rewind(records)
            raise

    def _name_unreadable(self, problem: KafkaError) -> None:
        """Raise `BeyondReading` with the offset where the library gave up.

        This is not a dead letter: the library reads a batch as a whole, so one bad record hides good ones.
        """
        if at := quirks.unreadable_at(self._consumer):
            (topic, partition), offset = at
            raise BeyondReading(topic, partition, self._group, offset, str(problem)) from problem
