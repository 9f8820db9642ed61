"""The bound of requests that wait: each takes a seat, and without a free one it is refused at once."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class TooManyWaiters(Exception):
    """As many requests wait as may wait. This one has done nothing yet."""


class Seats:
    """At most *most* seats are taken at the same time."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.taken = 0
        # The garbage collector may end a stream, and so call `leave`, while this thread holds the lock.
        self._mutex = threading.RLock()

    def require_one(self) -> None:
        """Raise `TooManyWaiters` if no seat is free. A view calls it before it reads anything."""
        if self.taken >= self.most:
            raise TooManyWaiters

    def take(self) -> None:
        """Take a seat; raises `TooManyWaiters`."""
        with self._mutex:
            self.require_one()
            self.taken += 1

    def leave(self) -> None:
        """Free a seat."""
        with self._mutex:
            self.taken -= 1

    @contextmanager
    def one(self) -> Iterator[None]:
        """A seat until the block ends."""
        self.take()
        try:
            yield
        finally:
            self.leave()
