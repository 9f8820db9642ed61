"""How long tests wait: every deadline grows with the load of the machine, or by the factor TEST_PATIENCE."""

import os
import time
from collections.abc import Callable
from pathlib import Path

MOST = 10.0  # A test that hangs must end on a machine that is busy for ever, too.
PAUSE = 0.02


def factor() -> float:
    """TEST_PATIENCE or, without it, the load of each processor, at least 1."""
    if given := os.environ.get("TEST_PATIENCE"):
        return float(given)
    # The averages are slow to see a load that has just begun; the number of runnable threads sees it at once.
    one, five, _, runnable, *_ = Path("/proc/loadavg").read_text().split()
    load = max(float(one), float(five), float(runnable.partition("/")[0]))
    return min(MOST, max(1.0, load / len(os.sched_getaffinity(0))))


def seconds(idle: float) -> float:
    """The time-out for what takes less than *idle* seconds on an idle machine."""
    return idle * factor()


class Deadline:
    """*idle* seconds from now, more when the machine becomes busy meanwhile."""

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


def await_true(
    condition: Callable[[], bool], what: str, *, seconds: float = 30, log: Path | None = None
) -> None:
    """Wait until *condition* holds; fail with *what* was awaited."""
    deadline = Deadline(seconds)
    while not condition():
        if deadline.over:
            tail = f"\n{log.read_text()[-2000:]}" if log and log.exists() else ""
            raise AssertionError(f"not within {deadline}: {what}{tail}")
        time.sleep(PAUSE)
