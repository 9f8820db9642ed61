"""The errors of a record that is not a valid event."""

from typing import ClassVar


class RecordError(Exception):
    """An error of one record, which no retry can correct."""

    reason: ClassVar[str]
    may_be_our_fault: ClassVar[bool] = True  # The fault may be our own: the breaker counts it.


class Unreadable(RecordError):
    """The record is not an event that this consumer can read."""

    reason = "unreadable"


class Invalid(Unreadable):
    """The record is one of our events, but its producer set a wrong value or left one out."""

    reason = "invalid"
    may_be_our_fault = False
