"""Python loads this when it starts: its clock is off by as many seconds as stand in the file CLOCK.

The kernel's monotonic clock stays as it is, as it does when somebody sets a machine's time.
"""

import datetime
import os
import time

right = time.time


def wrong() -> float:
    """What the clock on the wall says."""
    try:
        with open(os.environ["CLOCK"]) as file:
            return right() + float(file.read())
    except FileNotFoundError:
        return right()


class WrongDateTime(datetime.datetime):
    """A time that was read off that clock."""

    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> "WrongDateTime":
        return cls.fromtimestamp(wrong(), tz)


time.time = wrong
datetime.datetime = WrongDateTime  # type: ignore[misc]
