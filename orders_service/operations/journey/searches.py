"""Bounds the searches of the log: each runs in a thread of its own, a few at a time, one per order.

With greenlets, gevent has patched `threading`: the thread is a greenlet. A search then delays other requests
by 15 ms at most, as long as it takes to decode a batch of 500 records.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

MOST = 3  # Searches at a time in this process. Each has a connection and reads up to 10,000 records.
PATIENCE_SECONDS = 3.5  # A search ends by itself after 3 s, if the broker's client lets it.

T = TypeVar("T")


class SearchesTaken(Exception):
    """As many searches run as may. This one did not begin."""


@dataclass(frozen=True)
class Running(Generic[T]):
    """A search, what it has found so far, and until when it is waited for."""

    found: T
    patient_until: float
    ended: threading.Event = field(default_factory=threading.Event)


class Searches(Generic[T]):
    """The searches of one process. A search that hangs keeps its place until it ends."""

    def __init__(self, most: int = MOST, *, patience: float = PATIENCE_SECONDS) -> None:
        self._most = most
        self._patience = patience
        self._mutex = threading.Lock()
        self._running: dict[str, Running[T]] = {}

    def run(self, order_id: str, found: T, search: Callable[[T], None]) -> T:
        """Let *search* write into *found*, and return that after *patience* seconds at most.

        While a search for the order runs, its viewers share what that one finds. A search that was left
        still writes. Raises `SearchesTaken`.
        """
        running = self._joined_or_begun(order_id, found, search)
        running.ended.wait(max(0.0, running.patient_until - time.monotonic()))
        return running.found

    def _joined_or_begun(self, order_id: str, found: T, search: Callable[[T], None]) -> Running[T]:
        running = Running(found, time.monotonic() + self._patience)
        with self._mutex:
            if order_id in self._running:
                return self._running[order_id]
            if len(self._running) >= self._most:
                raise SearchesTaken
            self._running[order_id] = running

        def work() -> None:
            try:
                search(found)
            finally:
                self._leave(order_id, running)

        try:
            threading.Thread(target=work, name="journey", daemon=True).start()
        except RuntimeError:  # The system cannot start a thread.
            self._leave(order_id, running)
            raise SearchesTaken from None
        return running

    def _leave(self, order_id: str, running: Running[T]) -> None:
        with self._mutex:
            del self._running[order_id]
        running.ended.set()
