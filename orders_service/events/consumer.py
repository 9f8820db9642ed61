"""(6) The consumer: applies a batch of records in one transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import attrgetter

import structlog
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from orders_service import crash_points, runtime
from orders_service.contract import reading, wire
from orders_service.contract.errors import RecordError, Unreadable
from orders_service.contract.events import Event
from orders_service.database.columns import Clock, utc_now
from orders_service.database.errors import DATA_ERRORS, error_code, in_short
from orders_service.database.transactions import in_transaction
from orders_service.events import dead_letters, observations, traced
from orders_service.events.breaker import Breaker
from orders_service.events.brokers.port import Record, Subscription
from orders_service.events.dead_letters import ByteLimit, Kept, Refused
from orders_service.events.errors import REASONS, DataRefused, DeadLettersFull, HandlerFailed, Stopped
from orders_service.metrics.consumers import ConsumerMetrics

TRIES = 3
topic_of = attrgetter("topic")
DEAD_LETTER_BYTES = 100 * 1024 * 1024

log = structlog.get_logger()


@dataclass(frozen=True)
class Received:
    """An event and the record that it came in."""

    event: Event
    record: Record


Handler = Callable[[Session, Sequence[Received]], Sequence[Refused]]
"""Applies events in their order, all in one transaction; returns those that no retry can correct.

It may be called again with events that it has had, in another sequence: the order's id is the key of its
effects. An attempt may be rolled back and repeated, so a handler counts nothing itself: it gives its metrics
to `observations.observe_after_commit`.
"""


class Consumer:
    """Reads records from a subscription, and lets a handler apply their events."""

    def __init__(
        self,
        sessions: sessionmaker[Session],
        subscription: Subscription,
        handler: Handler,
        *,
        group: str,
        topics: Sequence[str],
        database: str,
        dead_letter_bytes: int = DEAD_LETTER_BYTES,
        poll_seconds: float = 1.0,
        clock: Clock = utc_now,
    ) -> None:
        """*topics* are those of the subscription; *database* is the name of the database in the metrics.

        *dead_letter_bytes* is the space that unresolved dead letters may take in the database.
        """
        self._sessions = sessions
        self._subscription = subscription
        self._handler = handler
        self._group = group
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._breaker = Breaker(group)
        self._limit = ByteLimit(dead_letter_bytes)
        self._metrics = ConsumerMetrics(group=group, topics=topics, database=database, reasons=REASONS)

    def step(self) -> bool:
        """Apply the next records and commit their effects, then acknowledge them. True if there may be more.

        After a crash in between, the records come again. An error that is not a record's is raised, and the
        next step gets the same records. Too many dead letters in a row raise `TooManyDeadLetters`.
        """
        try:
            return self._step()
        finally:
            self._show_lag()

    def close(self) -> None:
        """Leave the group and close the connections to the database."""
        try:
            self._subscription.close()
        finally:
            self._metrics.show_lag({})
            self._sessions.kw["bind"].dispose()

    def _show_lag(self) -> None:
        try:
            lag = self._subscription.lag()
        except Exception as error:  # It must not hide the error of the step, nor make one.
            log.debug("cannot tell the lag", error=str(error))
        else:
            self._metrics.show_lag(lag)

    def _step(self) -> bool:
        records = self._subscription.poll(seconds=self._poll_seconds)
        self._metrics.note_generation(self._subscription.generation)
        if not records:
            return False
        began = runtime.monotonic()
        spans = traced.begin_process(self._group, records)
        try:
            outcome = self._apply(records)
        except BaseException:
            self._subscription.rewind(records)
            raise
        self._subscription.acknowledge(records)
        crash_points.at("consumer.acknowledged")
        self._metrics.count_batch(
            map(topic_of, records),
            skipped=map(topic_of, outcome.skipped),
            dead=(record.topic for record, _ in outcome.dead),
            seconds=runtime.monotonic() - began,
        )
        traced.end_process(spans, records, outcome.dead)
        self._breaker.count_after(records, suspect=outcome.suspect, neutral=outcome.neutral)
        return True

    def _apply(self, records: Sequence[Record]) -> "Outcome":
        """Apply the records in one transaction or, if one of them makes it fail, one by one."""
        events, unreadable, skipped = _read(records)
        with self._sessions() as session:
            self._breaker.check_before(session, records, self._subscription.generation)
            try:
                return Outcome.of(self._commit(session, events, unreadable), skipped)
            except Exception as error:
                # If the dead letters are full, the records up to the first that does not fit are applied or
                # kept: an operator can then discard the letters.
                are_full = isinstance(error, DeadLettersFull) and len(records) > 1
                if not are_full and not is_caused_by_a_record(error):
                    raise
                log.warning("cannot apply a batch; applying its records one by one", error=in_short(error))
            received = {str(event.record): event for event in events}
            refused = {str(record): (record, error) for record, error in unreadable}
            dead: list[Refused] = []
            for record in map(str, records):  # In the log's order.
                if record in received:
                    dead += self._apply_alone(session, received[record])
                elif record in refused:
                    dead += self._commit(session, [], [refused[record]])
            return Outcome.of(dead, skipped)

    def _commit(
        self, session: Session, events: Sequence[Received], unreadable: Sequence[Refused]
    ) -> list[Refused]:
        def work(session: Session) -> Kept:
            observations.forget(session)
            refused = [*unreadable, *(self._handler(session, events) if events else ())]
            return dead_letters.keep(
                session, refused, group=self._group, clock=self._clock, limit=self._limit
            )

        kept = in_transaction(session, work)
        observations.play(session)
        for _, error in kept.written:
            self._metrics.count_dead_letter(error.reason)
        return kept.unresolved

    def _apply_alone(self, session: Session, received: Received) -> list[Refused]:
        for _ in range(TRIES):
            try:
                return self._commit(session, [received], [])
            except Exception as error:
                if not is_caused_by_a_record(error):
                    raise
                verdict = verdict_on(error)
        return self._commit(session, [], [(received.record, verdict)])


@dataclass(frozen=True)
class Outcome:
    """The records of a batch that were not applied. The breaker counts *suspect* ones."""

    suspect: Sequence[Record]  # Dead letters that may be our own fault.
    neutral: Sequence[Record]  # Dead letters that are the producer's fault, and records of unknown types.
    dead: Sequence[Refused]  # All dead letters.
    skipped: Sequence[Record]  # Records of unknown types.

    @classmethod
    def of(cls, dead: Sequence[Refused], skipped: Sequence[Record]) -> "Outcome":
        return cls(
            suspect=[record for record, error in dead if error.may_be_our_fault],
            neutral=[*(record for record, error in dead if not error.may_be_our_fault), *skipped],
            dead=dead,
            skipped=skipped,
        )


def event_of(record: Record) -> Event | None:
    """Read the event of a record, with its trace; None if the type is not ours. Raises `Unreadable`."""
    type_ = wire.header(record.headers, "ce_type")
    traceparent = wire.traceparent_or_none(wire.header(record.headers, "traceparent"))
    return reading.read_event(type_, record.value, traceparent)


def _read(records: Sequence[Record]) -> tuple[list[Received], list[Refused], list[Record]]:
    """The events of *records*, those that are unreadable, and those of unknown types."""
    events: list[Received] = []
    unreadable: list[Refused] = []
    skipped: list[Record] = []
    for record in records:
        try:
            if event := event_of(record):
                events.append(Received(event, record))
            else:
                skipped.append(record)
        except Unreadable as error:
            unreadable.append((record, error))
    if skipped:
        log.info("records of unknown types skipped", count=len(skipped))
    return events, unreadable, skipped


def is_caused_by_a_record(error: Exception) -> bool:
    """Whether the error comes from the content of a record, and not from the infrastructure."""
    if isinstance(error, DBAPIError):
        return isinstance(error, DataError) or error_code(error) in DATA_ERRORS
    return not isinstance(error, SQLAlchemyError | OSError | MemoryError | Stopped)


def verdict_on(error: Exception) -> RecordError:
    """The reason to give up on a record whose handling raised *error*."""
    if isinstance(error, RecordError):
        return error
    verdict = DataRefused if isinstance(error, DBAPIError) else HandlerFailed
    return verdict(f"{type(error).__name__}: {error}")
