"""Python loads this module at its start. It shifts the clock by the seconds in the file CLOCK.

The kernel's monotonic clock stays as it is, as it does when somebody sets a machine's time.
"""

import datetime
import os
import time

right = time.time


def wrong() -> float:
    """The shifted time."""
    try:
        with open(os.environ["CLOCK"]) as file:
            return right() + float(file.read())
    except FileNotFoundError:
        return right()


class WrongDateTime(datetime.datetime):
    """A datetime whose `now` is the shifted time."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "WrongDateTime":
        return cls.fromtimestamp(wrong(), tz)


time.time = wrong
datetime.datetime = WrongDateTime  # type: ignore[misc]
