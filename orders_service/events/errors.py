"""The errors of a record, each of which makes it a dead letter; and those that stop a consumer (`Stopped`).

Any other error is infrastructure. `Unreadable` and `Invalid` are defined in `contract/errors.py`.

RecordError
├── Unreadable          not one of our events: not UTF-8, not JSON, or without an order id
│   └── Invalid         one of our events, but another value in it is wrong or missing
├── Conflicting         the order was placed before, with other content
├── DataRefused         the database cannot hold its values
└── HandlerFailed       our own handler raised, three times
"""

from typing import ClassVar

from orders_service.contract.errors import Invalid, RecordError, Unreadable


class Conflicting(RecordError):
    """The record contradicts what was recorded for its order earlier."""

    reason = "conflicting"
    may_be_our_fault = False


class DataRefused(RecordError):
    """The database cannot hold a value of the record."""

    reason = "data-refused"


class HandlerFailed(RecordError):
    """The handler raised an exception of its own for this record alone, in every attempt."""

    reason = "handler-failed"


# Every reason that a dead letter may have.
REASONS = tuple(error.reason for error in (Unreadable, Invalid, Conflicting, DataRefused, HandlerFailed))
NOT_OURS = frozenset({Invalid.reason, Conflicting.reason})


class Stopped(Exception):
    """The process must stop until a person has looked. The message says what to do."""

    exit_code: ClassVar[int] = 3


class TooManyDeadLetters(Stopped):
    """Many dead letters in a row: the cause is probably not in the records."""

    def __init__(self, topic: str, partition: int, count: int) -> None:
        super().__init__(
            f"{count} records of {topic}-{partition} became dead letters in a row."
            " List them with `orders-service dead-letters list` and correct the cause. Then run"
            " `dead-letters replay --all` or `dead-letters discard --all`, and start the consumer again"
        )


class DeadLettersFull(Stopped):
    """The unresolved dead letters would take more space in the database than they may."""

    def __init__(self, held: int, most: int) -> None:
        super().__init__(
            f"the unresolved dead letters would need {held} bytes, but DEAD_LETTERS_MAX_BYTES is {most}."
            " List them with `orders-service dead-letters list`, and stop the producer that sends such"
            " records. Then run `dead-letters replay --all` or `dead-letters discard --all`, or increase"
            " DEAD_LETTERS_MAX_BYTES, and start the consumer again."
            " The records that it did not store are still in the topic"
        )


class EventsGone(Stopped):
    """The log no longer holds the records that a group has to read next."""

    def __init__(self, topic: str, partition: int, group: str, position: int, begins: int) -> None:
        super().__init__(
            f"{topic}-{partition} now begins at offset {begins}, but group {group} has read to {position}:"
            f" {begins - position} records were deleted. Send them again with `orders-service outbox requeue"
            " --since TIME`, where TIME is before this consumer last ran (add `--database catalog` for the"
            " catalog's answers). Then start the consumer once with --skip-gap"
        )


class BeyondReading(Stopped):
    """The log holds a batch that our client cannot read: compressed with another codec, or damaged."""

    def __init__(self, topic: str, partition: int, group: str, offset: int, problem: str) -> None:
        super().__init__(
            f"{topic}-{partition}@{offset} cannot be read: {problem}. Print it with `kafka-console-consumer"
            f" --topic {topic} --partition {partition} --offset {offset}`. Set the topic's compression.type"
            " to uncompressed. Move the group past this batch with `kafka-consumer-groups --group"
            f" {group} --topic {topic}:{partition} --reset-offsets --to-offset OFFSET --execute`. Start the"
            " consumer again, and let the producer send the skipped records again"
        )


class InstanceTaken(Stopped):
    """Another process joined the group under the instance name of this one."""

    def __init__(self, group: str, instance: str) -> None:
        super().__init__(
            f"another process joined group {group} as instance {instance}."
            " Each process needs its own CONSUMER_INSTANCE"
        )
