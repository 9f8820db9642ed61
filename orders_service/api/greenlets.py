"""Greenlets in which requests wait for their commit, beside hundreds of others in one process."""

import time
from typing import Any, ClassVar

import gevent
from gevent import Timeout
from gevent.hub import Waiter
from gevent.lock import BoundedSemaphore

from orders_service.api.committer import Waiting
from orders_service.orders.service import Placed, Placement

GATHER_SECONDS = 0.02  # An event loop that is never idle would otherwise keep the orders waiting.


class Until(BaseException):
    """A time-out with one-second resolution, cheaper than a gevent timer per request.

    It is raised in its `with` block, which swallows it. The worker calls `end_overdue` once a second.
    """

    open: ClassVar[set["Until"]] = set()

    def __init__(self, seconds: float) -> None:
        self._time = time.monotonic() + seconds
        self._greenlet: Any = None

    def __enter__(self) -> "Until":
        self._greenlet = gevent.getcurrent()
        self.open.add(self)
        return self

    def __exit__(self, _: object, value: BaseException | None, __: object) -> bool:
        self.open.discard(self)
        return value is self

    @classmethod
    def end_overdue(cls) -> None:
        """Raise every time-out that is over, each in its greenlet."""
        now = time.monotonic()
        for until in [until for until in cls.open if until._time < now]:
            gevent.get_hub().loop.run_callback(until.end)

    def end(self) -> None:
        """Raise it, unless its block has ended meanwhile. Must be called by the event loop."""
        if self in self.open:
            self._greenlet.throw(self)


class WaitingGreenlet(Waiting):
    """A request that waits for its group's commit: a greenlet."""

    __slots__ = ("_waiter",)

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.outcome = None
        self._waiter = Waiter()

    def wait(self, seconds: float) -> None:
        with Until(seconds):
            self._waiter.get()

    def answer(self, outcome: Placed | Exception) -> None:
        self.outcome = outcome
        gevent.get_hub().loop.run_callback(self._waiter.switch, None)


def gather() -> None:
    """Let the event loop serve everybody else first: read every request that has come, send every answer."""
    with Timeout(GATHER_SECONDS, False):
        gevent.idle()


_turn = BoundedSemaphore(1)


def take_turn() -> None:
    """Wait for a turn before a piece of work that keeps the event loop busy for milliseconds.

    Everybody else is served before, for at most GATHER_SECONDS. Only one greenlet gets its turn at a time, so
    that a hundred of them take no larger share of a busy process than one.
    """
    with _turn:
        gather()
