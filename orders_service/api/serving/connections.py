"""The open connections of a process: at most so many, the slowest closed first, each with its time-outs."""

import heapq
import time
from typing import Any

import gevent

from orders_service.api.serving.connection import Connection, Stage

EVICTED_SHARE = 16  # One connection in sixteen is evicted at a time, because the choice scans them all.
SLOW_SECONDS = 1  # A client that takes no longer to send its request is not slow.


class Connections:
    """The open connections of a process: at most *most*, each with a time-out."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: set[Connection] = set()
        self._evicted: set[Connection] = set()  # They close in the event loop's next iteration.

    def admit(self, client: Any) -> Connection:
        """Add a connection. At the limit, evict some others, those of slow and of idle clients first."""
        if len(self._open) >= self._most:
            self._evict()
        connection = Connection(client)
        self._open.add(connection)
        return connection

    def leave(self, connection: Connection) -> None:
        """Forget a connection and close it."""
        self._open.discard(connection)
        self._evicted.discard(connection)
        connection.close()

    def end_overdue(self, *, stopping: bool) -> None:
        """Interrupt connections whose time-out has passed and, when *stopping*, idle ones."""
        now = time.monotonic()
        for connection in (*self._open, *self._evicted):
            overdue = connection.deadline < now or (stopping and connection.stage <= Stage.IDLE)
            if overdue and connection.waits_for_client:
                gevent.get_hub().loop.run_callback(connection.interrupt)

    def _evict(self) -> None:
        now = time.monotonic()

        def eviction_rank(connection: Connection) -> tuple[int, float]:
            # Slow clients first, then idle ones, which can connect again. New requests come last.
            idle = connection.stage == Stage.IDLE
            slow = connection.stage == Stage.FIRST or (not idle and now - connection.since > SLOW_SECONDS)
            return (0 if slow else 1 if idle else 2), connection.since

        waiting = [connection for connection in self._open if connection.waits_for_client]
        chosen = heapq.nsmallest(max(1, self._most // EVICTED_SHARE), waiting, key=eviction_rank)
        for connection in chosen:
            connection.evict()
        self._open.difference_update(chosen)
        self._evicted.update(chosen)
