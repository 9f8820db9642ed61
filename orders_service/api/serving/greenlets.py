"""The parts of the API that use gevent: a time-out, the wait for a commit, and turns for long requests."""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import gevent
from gevent import Timeout
from gevent.hub import Waiter

from orders_service.api.waiting import WaitingRequest
from orders_service.orders.service import Placed, Placement

# The longest wait for an idle event loop. A loop that is never idle would otherwise stop the orders.
GATHER_SECONDS = 0.02
# When the database hangs, hundreds of waits end in the same second. An answer takes 0.2 ms, so they end a few
# at a time: a request that comes meanwhile is refused within milliseconds.
ENDED_AT_ONCE = 8
ENDING_PAUSE_SECONDS = 0.01


class CoarseTimeout(BaseException):
    """A time-out with one-second resolution, cheaper than a gevent timer per request.

    It is raised in its `with` block, which swallows it. The worker calls `end_overdue` once a second.
    """

    open: ClassVar[set["CoarseTimeout"]] = set()

    def __init__(self, seconds: float) -> None:
        self._time = time.monotonic() + seconds
        self._greenlet: Any = None

    def __enter__(self) -> "CoarseTimeout":
        self._greenlet = gevent.getcurrent()
        self.open.add(self)
        return self

    def __exit__(self, _: object, value: BaseException | None, __: object) -> bool:
        self.open.discard(self)
        return value is self

    @classmethod
    def end_overdue(cls) -> None:
        """Raise every time-out that has passed, each in its own greenlet, a few at a time."""
        now = time.monotonic()
        if overdue := [until for until in cls.open if until._time < now]:
            gevent.spawn(cls._end_in_turn, overdue)

    @staticmethod
    def _end_in_turn(overdue: Sequence["CoarseTimeout"]) -> None:
        for start in range(0, len(overdue), ENDED_AT_ONCE):
            for until in overdue[start : start + ENDED_AT_ONCE]:
                gevent.get_hub().loop.run_callback(until.end)
            gevent.sleep(ENDING_PAUSE_SECONDS)

    def end(self) -> None:
        """Raise the time-out, unless its block has ended meanwhile. Must be called by the event loop."""
        if self in self.open:
            self._greenlet.throw(self)


class WaitingGreenlet(WaitingRequest):
    """A request that waits for its group's commit in a greenlet."""

    __slots__ = ("_waiter",)

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.outcome = None
        self._waiter = Waiter()

    def wait(self, seconds: float) -> None:
        with CoarseTimeout(seconds):
            self._waiter.get()

    def answer(self, outcome: Placed | Exception) -> None:
        self.outcome = outcome
        gevent.get_hub().loop.run_callback(self._waiter.switch, None)


def gather() -> None:
    """Wait until the event loop is idle (every request read, every answer sent), at most GATHER_SECONDS."""
    with Timeout(GATHER_SECONDS, False):
        gevent.idle()


class Turns:
    """A lock for work that blocks the event loop for milliseconds: one greenlet at a time has a turn.

    Before each turn the event loop serves other requests, for at most GATHER_SECONDS. So a hundred long
    requests take no larger share of a busy process than one. A request's first turn comes before the later
    turns of other requests.
    """

    def __init__(self) -> None:
        self._taken = False
        self._first: deque[Waiter] = deque()
        self._later: deque[Waiter] = deque()

    @contextmanager
    def take(self, *, first: bool) -> Iterator[None]:
        """Wait for a turn, and hold it until the block ends. *first*: the request has not had a turn yet."""
        if self._taken:
            self._wait(self._first if first else self._later)
        self._taken = True
        try:
            gather()
            yield
        finally:
            self._pass_on()

    def _wait(self, queue: "deque[Waiter]") -> None:
        waiter = Waiter()
        queue.append(waiter)
        try:
            waiter.get()
        except BaseException:
            if waiter in queue:
                queue.remove(waiter)
            else:
                self._pass_on()
            raise

    def _pass_on(self) -> None:
        queue = self._first or self._later
        self._taken = bool(queue)
        if queue:
            gevent.get_hub().loop.run_callback(queue.popleft().switch, None)


turn = Turns().take
