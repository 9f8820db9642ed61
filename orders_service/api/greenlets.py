"""gunicorn's worker with greenlets: a process of the API in which hundreds of requests wait side by side."""

import time
from typing import Any, ClassVar

import gevent
from gevent import Timeout
from gevent.hub import Waiter
from gunicorn.workers.ggevent import GeventWorker

from orders_service.api.committer import Waiting
from orders_service.orders.service import Placed, Placement

GATHER_SECONDS = 0.02  # At most; a loop that is never idle would otherwise keep the orders waiting.


class Until(BaseException):
    """The end of a greenlet's patience: raised in its `with` block, which swallows it.

    The worker looks once a second at what is over. gevent's `Timeout` is on time, and costs a timer for each.
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

    @property
    def over(self) -> bool:
        return time.monotonic() > self._time

    def end(self) -> None:
        """Raise it, unless its block has ended meanwhile. To be called by the event loop."""
        if self in self.open:
            self._greenlet.throw(self)


class Silence(Until):
    """The time until a customer's next request; when it is over, gunicorn hangs up."""


def end_what_is_over(*, stopping: bool) -> None:
    """End what has lasted long enough and, before a stop, every silence."""
    for until in list(Until.open):
        if until.over or (stopping and isinstance(until, Silence)):
            gevent.get_hub().loop.run_callback(until.end)


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
    """Let the event loop read every request that has come."""
    with Timeout(GATHER_SECONDS, False):
        gevent.idle()


class GreenletWorker(GeventWorker):  # type: ignore[misc]
    """Told to stop, it hangs up on customers who have asked nothing, and lets the others be answered.

    gunicorn's own waits for both, until it loses its patience.
    """

    def timeout_ctx(self) -> Silence:
        return Silence(self.cfg.keepalive)

    def handle_request(self, listener: object, request: object, client: Any, address: object) -> None:
        reply = Reply(client)
        try:
            super().handle_request(listener, request, reply, address)
        finally:
            reply.finish()

    def notify(self) -> None:
        super().notify()
        end_what_is_over(stopping=not self.alive)


class Reply:
    """A customer's socket for one answer: the head waits for the body, so that both go in one packet."""

    def __init__(self, client: Any) -> None:
        self._client = client
        self._head: bytes | None = None
        self._begun = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def sendall(self, data: bytes) -> None:
        if self._begun:
            self._client.sendall(data)
        elif self._head is None:
            self._head = data
        else:
            self._begin(self._head + data)

    def shutdown(self, how: int) -> None:
        """Give the answer up."""
        self._begun = True
        self._client.shutdown(how)

    def finish(self) -> None:
        """Send the head of an answer that has no body."""
        if self._head is not None and not self._begun:
            self._begin(self._head)

    def _begin(self, data: bytes) -> None:
        self._begun = True
        sent = self._client.send(data)  # `sendall` asks the system first how much it takes at a time.
        if sent < len(data):
            self._client.sendall(data[sent:])
