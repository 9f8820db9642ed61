"""The bound of requests that wait: each takes a seat, and without a free one it is refused at once."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager


class TooManyWaiters(Exception):
    """As many requests wait as may wait. This one has done nothing yet."""


class Seats:
    """At most *most* seats are taken at the same time, and at most a quarter of them by one user.

    *user* is the name of a client with a token. Clients without one cannot be told apart: for them it is
    empty, and only *most* counts.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.most_of_user = max(1, most // 4)
        self.taken = 0
        self._taken_by: Counter[str] = Counter()
        # The garbage collector may end a stream, and so call `leave`, while this thread holds the lock.
        self._mutex = threading.RLock()

    def require_one(self, user: str = "") -> None:
        """Raise `TooManyWaiters` if no seat is free. A view calls it before it reads anything."""
        if self.taken >= self.most or (user and self._taken_by[user] >= self.most_of_user):
            raise TooManyWaiters

    def take(self, user: str = "") -> None:
        """Take a seat; raises `TooManyWaiters`."""
        with self._mutex:
            self.require_one(user)
            self.taken += 1
            if user:
                self._taken_by[user] += 1

    def leave(self, user: str = "") -> None:
        """Free a seat of *user*."""
        with self._mutex:
            self.taken -= 1
            if user:
                self._taken_by[user] -= 1
                if not self._taken_by[user]:
                    del self._taken_by[user]

    @contextmanager
    def one(self, user: str = "") -> Iterator[None]:
        """A seat until the block ends."""
        self.take(user)
        try:
            yield
        finally:
            self.leave(user)
