"""Deadlines that grow with the load of the machine, or by the factor TEST_PATIENCE."""

import os
import time
from collections.abc import Callable
from pathlib import Path

FACTOR_MAX = 10.0  # A test that hangs must also end on a machine that is always busy.
PAUSE = 0.02


def factor() -> float:
    """TEST_PATIENCE or, without it, the load of each processor, at least 1."""
    if given := os.environ.get("TEST_PATIENCE"):
        return float(given)
    # The averages react slowly to a new load; the number of runnable threads, which psutil lacks, at once.
    one, five, _, runnable, *_ = Path("/proc/loadavg").read_text().split()
    load = max(float(one), float(five), float(runnable.partition("/")[0]))
    return min(FACTOR_MAX, max(1.0, load / len(os.sched_getaffinity(0))))


def seconds(idle: float) -> float:
    """The time-out for something that takes less than *idle* seconds on an idle machine."""
    return idle * factor()


class Deadline:
    """*idle* seconds from now; later if the machine becomes busy in between."""

    def __init__(self, idle: float) -> None:
        self._idle = idle
        self._began = time.monotonic()
        self._factor = factor()

    @property
    def over(self) -> bool:
        self._factor = max(self._factor, factor())
        return time.monotonic() - self._began > self._idle * self._factor

    def __str__(self) -> str:
        return f"{self._idle * self._factor:.0f} s"


def wait(condition: Callable[[], bool], *, seconds: float, pause: float = PAUSE) -> bool:
    """Wait until *condition* is true. False if it is not true in time."""
    deadline = Deadline(seconds)
    while not condition():
        if deadline.over:
            return False
        time.sleep(pause)
    return True


def await_true(
    condition: Callable[[], bool], what: str, *, seconds: float = 30, log: Path | None = None
) -> None:
    """Wait until *condition* is true. The error says *what* was awaited, and shows the end of the *log*."""
    if not wait(condition, seconds=seconds):
        tail = f"\n{log.read_text()[-2000:]}" if log and log.exists() else ""
        raise AssertionError(f"not within {seconds:.0f} s × {factor():.1f} for the load: {what}{tail}")
