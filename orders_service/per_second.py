"""A bound for what a stranger can cause: at most so many in each second."""

import time
from collections.abc import Callable


class PerSecond:
    """At most *most* in each second. Threads may pass the bound by a few."""

    def __init__(self, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = most
        self._clock = clock
        self._second = 0
        self._taken = 0

    def take(self) -> bool:
        """True if there is room for one more in this second."""
        second = int(self._clock())
        if second != self._second:
            self._second, self._taken = second, 0
        self._taken += 1
        return self._taken <= self._most
