"""A pool whose connections are given in the order in which they are asked for."""

import threading
from collections import deque
from typing import Any

from sqlalchemy.exc import TimeoutError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool

CHECKED = "2.1.9"  # The version of SQLAlchemy whose private methods are overridden below.


class Turns:
    """Lets at most *count* in at a time, and those who wait in the order in which they came."""

    def __init__(self, count: int) -> None:
        self._free = count
        # Each lock is released when its turn comes. The garbage collector may return a connection in the
        # middle of `take`, in the same thread: with an Event, `give` would wait for a lock that `take` holds.
        self._waiting: deque[threading.Lock] = deque()
        self._mutex = threading.RLock()

    def take(self, seconds: float) -> bool:
        """Wait for a turn; False if none comes within *seconds*."""
        with self._mutex:
            if self._free and not self._waiting:
                self._free -= 1
                return True
            turn = threading.Lock()
            turn.acquire()
            self._waiting.append(turn)
            self._pass_on()  # A connection may have been returned since `_free` was read.
        try:
            came = turn.acquire(timeout=seconds)
        except BaseException:
            if not self._leave(turn):
                self.give()
            raise
        return came or not self._leave(turn)

    def give(self) -> None:
        """End a turn: it passes to the one who has waited longest."""
        with self._mutex:
            self._free += 1
            self._pass_on()

    def _pass_on(self) -> None:
        """Give the free turns to those who wait."""
        while self._free:
            self._free -= 1
            try:
                turn = self._waiting.popleft()
            except IndexError:
                self._free += 1
                return
            turn.release()

    def _leave(self, turn: threading.Lock) -> bool:
        """Wait no longer; False if the turn came in the last moment."""
        with self._mutex:
            try:
                self._waiting.remove(turn)
            except ValueError:
                return False
            return True


class FairPool(QueuePool):
    """SQLAlchemy's pool, without overflow, whose waiting callers are served in their order.

    In SQLAlchemy's own pool, a new caller often takes the connection that returns, and the one that waited
    goes to the end of the line: of 64 clients of a busy API some waited for seconds.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._turns = Turns(self.size())

    def _do_get(self) -> ConnectionPoolEntry:
        if not self._turns.take(self.timeout()):
            raise TimeoutError(f"none of {self.size()} connections became free within {self.timeout()} s")
        try:
            return super()._do_get()
        except BaseException:
            self._turns.give()
            raise

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        try:
            super()._do_return_conn(record)
        finally:
            self._turns.give()
