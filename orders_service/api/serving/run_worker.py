"""gunicorn's worker with threads, for `orders-service run`. Written for gunicorn 27."""

import signal
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import ThreadWorker

from orders_service.api.body import BODY_SECONDS
from orders_service.api.serving.refusals import HTTP_1_1, refusal_of

STOP_SECONDS = 0.5  # On shutdown, requests in flight and idle connections may last so long.
STOP_POLL_SECONDS = 0.05


class ThreadWorkerForRun(ThreadWorker):  # type: ignore[misc]
    """A thread worker that stops quickly, and only on a signal from the main process.

    On Ctrl-C the terminal sends SIGINT to every process, and the main process then sends SIGQUIT. gunicorn's
    own worker acts on both and can deadlock: the second handler waits for a lock of the thread pool that the
    first handler, or the code that it interrupted, still holds.
    """

    def handle_request(self, req: Any, conn: Any) -> Any:
        """Serve a request, with a time-out for each read and write of the client's socket."""
        conn.sock.settimeout(BODY_SECONDS)
        req.version = min(req.version, HTTP_1_1)
        return super().handle_request(req, conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer an invalid request with problem details."""
        refusal = refusal_of(exc)
        if refusal is None:
            super().handle_error(req, client, addr, exc)
            return
        with suppress(OSError):
            client.sendall(refusal)

    def init_signals(self) -> None:
        """Ignore SIGINT: Ctrl-C is for the main process."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Stop as on SIGTERM, whose handler only sets a flag."""
        self.handle_exit(sig, frame)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop within STOP_SECONDS. The main process waits longer, so it does not kill this one."""
        self.cfg.__dict__["graceful_timeout"] = STOP_SECONDS
        super().handle_exit(sig, frame)

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """End the waits of clients that have hung up and, while the worker stops, all waits.

        Then it returns often enough to end on time: gunicorn would wait for up to a second.
        """
        self.wsgi.extensions["committer"].show_queue()
        watcher = self.wsgi.extensions["watcher"]
        watcher.end_hung_up() if self.alive else watcher.stop()
        if not self.alive:
            self.wsgi.extensions["road"].stop()
        super().wait_for_and_dispatch_events(timeout if self.alive else min(timeout, STOP_POLL_SECONDS))
