"""gunicorn's worker with threads, as `run` uses it. Written for gunicorn 27."""

import signal
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from orders_service.api.body import BODY_SECONDS
from orders_service.api.refusals import HTTP_1_1, refusal_of

STOP_SECONDS = 0.5  # For requests in flight, and idle connections, when it is told to stop.
LOOK_SECONDS = 0.05


class RunWorker(ThreadWorker):  # type: ignore[misc]
    """Stops when the main process says so, once, and soon.

    A terminal sends Ctrl-C to every process of ours, and the main process then sends SIGQUIT. gunicorn's
    worker acts on both: the second handler waits for a lock of the thread pool that the first, or the code
    that it has interrupted, still holds.
    """

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Serve a request whose client keeps a thread waiting for a bounded time."""
        conn.sock.settimeout(BODY_SECONDS)
        req.version = min(req.version, HTTP_1_1)
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Refuse what is no request with problem details."""
        refusal = refusal_of(exc)
        if refusal is None:
            super().handle_error(req, client, addr, exc)
            return
        with suppress(OSError):
            client.sendall(refusal)

    def init_signals(self) -> None:
        """Leave Ctrl-C to the main process."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Stop as on SIGTERM: that only sets a flag."""
        self.handle_exit(sig, frame)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop, and wait for nobody for long. The main process waits longer, so it does not kill this one."""
        self.cfg.__dict__["graceful_timeout"] = STOP_SECONDS
        super().handle_exit(sig, frame)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Look more often than once a second whether the time to stop is over."""
        super().wait_for_and_dispatch_events(timeout if self.alive else min(timeout, LOOK_SECONDS))
