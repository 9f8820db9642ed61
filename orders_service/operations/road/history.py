"""The changes between readings: rates, and since when a group has made no progress."""

from collections import deque
from dataclasses import dataclass, field

from orders_service.operations.road.log import GroupReading

BACKLOG_READINGS = 3600  # An hour. Of a longer backlog, the age is not known.
RATE_SECONDS = 5.0  # A rate is the difference of two readings that are so far apart.


@dataclass
class Rate:
    """The rate of a number that grows."""

    _seen: deque[tuple[float, int]] = field(default_factory=deque)

    def note(self, at: float, value: int | None) -> float | None:
        """Add a reading; the rate per second. None while there is one reading, or if the value fell."""
        if value is None or (self._seen and value < self._seen[-1][1]):
            self._seen.clear()
        if value is None:
            return None
        self._seen.append((at, value))
        while len(self._seen) > 2 and at - self._seen[1][0] >= RATE_SECONDS:
            self._seen.popleft()
        (first, least), (last, most) = self._seen[0], self._seen[-1]
        return (most - least) / (last - first) if last > first else None


@dataclass
class Backlog:
    """Since when the oldest unread record of a topic waits: since the topic was longer than what is read."""

    _ends: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=BACKLOG_READINGS))

    def note(self, at: float, group: GroupReading | None) -> float | None:
        """Add a reading; for how long the oldest record waits. None if it came before the first reading."""
        if group is None or (self._ends and group.end < self._ends[-1][1]):
            self._ends.clear()
        if group is None:
            return None
        self._ends.append((at, group.end))
        read = group.end - group.lag
        while len(self._ends) > 1 and self._ends[1][1] <= read:
            self._ends.popleft()
        since, end = self._ends[0]
        return at - since if group.lag and end <= read else None


@dataclass
class Progress:
    """The progress of a consumer group. Times are of the reader's monotonic clock."""

    rate: Rate = field(default_factory=Rate)
    backlog: Backlog = field(default_factory=Backlog)
    per_second: float | None = None
    oldest_seconds: float | None = None  # For how long the oldest record that it has not read has waited.
    still_seconds: float = 0.0  # For how long it has read nothing although it could.
    unmanned_seconds: float | None = None  # Since its last member left; None if that is not known.
    _manned_at: float | None = None
    _passed: int = -1
    _moved_at: float = 0.0

    def note(self, at: float, group: GroupReading | None) -> None:
        """Add a reading of *group*; None if the broker did not answer."""
        self.per_second = self.rate.note(at, group.passed if group else None)
        self.oldest_seconds = self.backlog.note(at, group)
        if group is None:
            self._passed = -1
            self.still_seconds = 0.0
            return
        if group.lag == 0 or group.passed != self._passed:
            self._moved_at = at
        self._passed = group.passed
        self.still_seconds = at - self._moved_at
        if group.members:
            self._manned_at = at
        manned = self._manned_at
        self.unmanned_seconds = None if group.members or manned is None else at - manned
