"""gunicorn's worker with greenlets: a process of the API in which hundreds of requests wait side by side."""

from types import TracebackType
from typing import Any

import gevent
from gevent import Greenlet, Timeout
from gunicorn.workers.ggevent import GeventWorker

GATHER_SECONDS = 0.02  # At most; a loop that is never idle would otherwise keep the orders waiting.


def gather() -> None:
    """Let the event loop read every request that has come."""
    with Timeout(GATHER_SECONDS, False):
        gevent.idle()


class GreenletWorker(GeventWorker):  # type: ignore[misc]
    """Told to stop, it hangs up on customers who have asked nothing, and lets the others be answered.

    gunicorn's own waits for both, until it loses its patience.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._quiet: dict[Silence, Greenlet] = {}

    def timeout_ctx(self) -> "Silence":
        return Silence(self.cfg.keepalive, self._quiet)

    def handle_request(self, listener: object, request: object, client: Any, address: object) -> None:
        reply = Reply(client)
        try:
            super().handle_request(listener, request, reply, address)
        finally:
            reply.finish()

    def notify(self) -> None:
        super().notify()
        if not self.alive:
            for silence, greenlet in list(self._quiet.items()):
                gevent.kill(greenlet, silence, block=False)


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


class Silence(Timeout):  # type: ignore[misc]
    """The time until a customer's next request; when it is over, gunicorn hangs up."""

    def __init__(self, seconds: float, quiet: "dict[Silence, Greenlet]") -> None:
        super().__init__(seconds, False)
        self._quiet = quiet

    def __enter__(self) -> "Silence":
        self._quiet[self] = gevent.getcurrent()
        super().__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        del self._quiet[self]
        over: bool | None = super().__exit__(kind, value, trace)
        return over
