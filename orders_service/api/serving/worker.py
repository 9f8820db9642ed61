"""gunicorn's worker with greenlets: an API process that serves hundreds of connections at the same time."""

import signal
import time
import warnings
from contextlib import suppress
from typing import Any

from gevent import GreenletExit
from gevent.monkey import MonkeyPatchWarning
from gunicorn.http import get_parser
from gunicorn.http.body import ChunkedReader
from gunicorn.http.errors import NoMoreData, ParseException
from gunicorn.workers.base_async import AsyncWorker
from gunicorn.workers.ggevent import GeventWorker
from werkzeug.exceptions import HTTPException

from orders_service.api import request_ids
from orders_service.api.body import BODY_MAX
from orders_service.api.serving.connection import STOP_SECONDS, UNREAD_BYTES, Connection, HangUp
from orders_service.api.serving.connections import Connections
from orders_service.api.serving.greenlets import CoarseTimeout
from orders_service.api.serving.refusals import HTTP_1_1, answer, refusal_of

# The version of gunicorn whose insides are used here, in `run_worker.py` and in `server.py`.
CHECKED = "27.0.1"
# Room for new connections while evicted ones close.
SPARE_CONNECTIONS = 100
STOPPING = (signal.SIGQUIT, signal.SIGTERM)


class GreenletWorker(GeventWorker):  # type: ignore[misc]
    """Serves HTTP/1.1 within the limits of `connections`, and refuses with problem details.

    gunicorn's own loop has no time-outs for a slow client. This one replaces it, and uses gunicorn's parser,
    its response and its `handle_request`.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._connections = Connections(self.worker_connections)
        self.worker_connections += SPARE_CONNECTIONS
        self._stopping_since: float | None = None

    def patch(self) -> None:
        """Make Python's blocking functions switch greenlets."""
        with warnings.catch_warnings():
            # PyJWT's HTTP client, which is not used here, has imported a class of `ssl` by its name.
            warnings.filterwarnings("ignore", "Monkey-patching ssl", MonkeyPatchWarning)
            super().patch()

    def init_process(self) -> None:
        """Block the stop signals (SIGTERM, SIGQUIT) until this process has its own signal handlers.

        Meanwhile it has those of the main process, which only put a signal in a queue that nobody reads.
        """
        signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
        super().init_process()

    def init_signals(self) -> None:
        """Ignore SIGINT: a terminal sends it to every process on Ctrl-C, but it is for the main process."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPPING)

    def handle_quit(self, sig: int, frame: Any) -> None:
        """Stop as on SIGTERM, but close idle connections at once. gunicorn's handler would abort requests."""
        self._stopping_since = -STOP_SECONDS  # A time long ago: idle connections have no grace period.
        self.handle_exit(sig, frame)

    def handle_exit(self, sig: int, frame: Any) -> None:
        """Stop: answer requests in flight, and after STOP_SECONDS close idle connections."""
        if self._stopping_since is None:
            self._stopping_since = time.monotonic()
        super().handle_exit(sig, frame)

    def notify(self) -> None:
        """End every wait whose deadline has passed, or whose client has hung up.

        gunicorn calls this once a second.
        """
        super().notify()
        CoarseTimeout.end_overdue()
        self.wsgi.extensions["committer"].show_queue()
        watcher = self.wsgi.extensions["watcher"]
        watcher.end_hung_up() if self.alive else watcher.stop()
        if not self.alive:
            self.wsgi.extensions["road"].stop()
        self._connections.end_overdue(stopping=self._stopped_long_enough)

    @property
    def _stopped_long_enough(self) -> bool:
        since = self._stopping_since
        return since is not None and time.monotonic() - since >= STOP_SECONDS

    def handle(self, listener: Any, client: Any, address: Any) -> None:
        """Serve one connection until either side closes it."""
        client.setblocking(True)
        connection = self._connections.admit(client)
        try:
            self._converse(connection, listener.getsockname(), address)
        except (OSError, NoMoreData, StopIteration, HangUp, GreenletExit):
            pass  # The client has closed or was too slow, or this process ends: no answer is possible.
        except BaseException as error:
            self._refuse(connection, error)
        finally:
            self._connections.leave(connection)

    def _converse(self, connection: Connection, here: Any, address: Any) -> None:
        parser = get_parser(self.cfg, connection, address)
        while True:
            request = next(parser)
            connection.begin_request(is_chunked=isinstance(request.body.reader, ChunkedReader))
            request.version = min(request.version, HTTP_1_1)
            request.proxy_protocol_info = {}
            if getattr(request.body.reader, "length", 0) > BODY_MAX:
                request.force_close()  # The body will not be read: answer with `Connection: close`.
            try:
                # GeventWorker's method would swallow GreenletExit, and go on after half an answer.
                AsyncWorker.handle_request(self, here, request, connection, address)
                last = False
            except StopIteration:  # The answer said `Connection: close`.
                last = True
            connection.finish_answer()
            if not _drained(parser, connection) or last:
                return
            connection.expect_request()

    def _refuse(self, connection: Connection, error: BaseException) -> None:
        """Answer a request that is invalid, or that failed by a fault of the service (500)."""
        if connection.answer_has_begun:
            return
        refusal = refusal_of(error)
        if refusal is None:
            request_id = request_ids.new()
            self.log.error("Cannot answer the request %s.", request_id, exc_info=error)
            detail = "The service failed. The error was logged."
            refusal = answer("internal-server-error", detail, request_id)
        with suppress(OSError, HangUp, HTTPException):  # The client has closed or does not read.
            connection.expect_rest()
            connection.send(refusal)
            connection.linger()


def _drained(parser: Any, connection: Connection) -> bool:
    """Drain the rest of the body if it is small. True if the connection can be kept."""
    connection.expect_rest()
    try:
        if parser.finish_body(max_bytes=UNREAD_BYTES):
            return True
    except (ParseException, HTTPException):
        return False
    connection.linger()
    return False
