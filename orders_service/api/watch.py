"""Waits for changes of orders: one thread per process looks into the table for all requests that wait.

The thread exists only while a request waits. It runs one statement every 50 ms, on a connection of its own,
whether one request waits or a thousand. A request that waits holds no connection. The same code serves
threads and greenlets: with greenlets, gevent has patched `threading`.
"""

import heapq
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain, islice
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, Row
from sqlalchemy.exc import SQLAlchemyError

from orders_service.api.hang_ups import hung_up
from orders_service.api.seats import Seats
from orders_service.database.errors import in_short
from orders_service.orders import changes

LOOK_SECONDS = 0.05  # From one look at the orders to the next.
USERS_EVERY = 2  # At every second look, another statement finds users with new or changed orders.
USERS_AT_ONCE = 100  # Users in that statement. If there are more, they take turns.
# After one look, the orders of so many users are read, and so many of their streams are woken, because a busy
# user with many streams must not take the event loop. The next look finds the others.
USERS_READ = 10
STREAMS_WOKEN = 50
BREATH_SECONDS = 0.01  # The shortest pause between two looks.
DOWN_SECONDS = 1.0  # The pause after two failures in a row.

log = structlog.get_logger()

Signature = tuple[int, int]  # The sum of the ids and of the versions of a user's newest orders.


@dataclass(frozen=True, eq=False)
class Newest:
    """The newest orders of a user, oldest first. All streams of the user share it."""

    rows: Sequence[Row[Any]]

    @cached_property
    def versions(self) -> dict[int, int]:
        """The version of each order by its row number."""
        return {row.id: row.version for row in self.rows}

    @cached_property
    def signature(self) -> Signature:
        """Two sums, one of which differs when an order is new or has changed."""
        return sum(self.versions), sum(self.versions.values())


class Waiter:
    """A request of *client* (see `hang_ups`) that waits, until `found` is set or its time is over."""

    __slots__ = ("client", "found", "woken")

    def __init__(self, client: int | None) -> None:
        self.client = client
        self.found: Any = None
        self.woken = threading.Event()

    def wake(self, found: Any = None) -> None:
        """End the wait, with what was found. Only the first call counts."""
        if not self.woken.is_set():
            self.found = found
            self.woken.set()


def start_thread(work: Callable[[], None]) -> None:
    """Start the watcher as a thread, which is a greenlet where gevent has patched `threading`."""
    threading.Thread(target=work, name="watcher", daemon=True).start()


class Watcher:
    """Lets at most *most* requests wait for orders, and looks for changes while there are any."""

    def __init__(self, engine: Engine, *, most: int) -> None:
        self._engine = engine
        self.seats = Seats(most)
        self._mutex = threading.Lock()
        self._orders: dict[tuple[str, int], set[Waiter]] = defaultdict(set)
        self._users: dict[tuple[str, Signature], set[Waiter]] = defaultdict(set)
        self._seen_at: dict[str, float] = {}  # When each user's turn was.
        self._newest: dict[str, Newest] = {}  # What was found, while streams of the user are open.
        self._at_work = False
        self.is_stopping = False

    def await_order(
        self, order_id: str, version: int, seconds: float, *, client: int | None = None
    ) -> Row[Any] | None:
        """Wait until the order has another version than *version*; the order, or None after *seconds*.

        None also when the *client* has hung up.
        """
        found: Row[Any] | None = self._wait(self._orders, (order_id, version), seconds, client)
        return found

    def newest_of(self, user_id: str) -> Newest | None:
        """The user's orders as the last look found them, if another stream of the user waits now."""
        with self._mutex:
            is_watched = any(user == user_id for user, _ in self._users)
        return self._newest.get(user_id) if is_watched else None

    def await_user(
        self, user_id: str, signature: Signature, seconds: float, *, client: int | None = None
    ) -> Newest | None:
        """Wait until the user's newest orders have another signature; the orders, or None as above."""
        found: Newest | None = self._wait(self._users, (user_id, signature), seconds, client)
        return found

    def end_hung_up(self) -> None:
        """End the waits of clients that have hung up. The server calls this once a second."""
        with self._mutex:
            everybody = [*chain(*self._orders.values(), *self._users.values())]
            gone = hung_up({waiter.client for waiter in everybody if waiter.client is not None})
            for waiter in everybody:
                if waiter.client in gone:
                    waiter.wake()

    def stop(self) -> None:
        """End every wait, now and from now on: each request is answered with what it has."""
        with self._mutex:
            self.is_stopping = True
            for waiters in (*self._orders.values(), *self._users.values()):
                for waiter in waiters:
                    waiter.wake()

    def _wait(self, waiting: dict[Any, set[Waiter]], key: Any, seconds: float, client: int | None) -> Any:
        waiter = Waiter(client)
        with self._mutex:
            if self.is_stopping:
                return None
            waiting[key].add(waiter)
            idle, self._at_work = not self._at_work, True
        try:
            if idle:
                self._start()
            waiter.woken.wait(seconds)
        finally:
            with self._mutex:
                waiting[key].discard(waiter)
                if not waiting[key]:
                    del waiting[key]
        return waiter.found

    def _start(self) -> None:
        try:
            start_thread(self._work)
        except RuntimeError:  # The system cannot start a thread. The next request tries again.
            self._at_work = False
            log.exception("cannot start the watcher thread")

    def _work(self) -> None:
        looks = failures = 0
        try:
            while self._is_wanted():
                began = time.monotonic()
                try:
                    self._look(with_users=looks % USERS_EVERY == 0)
                    failures = 0
                except SQLAlchemyError as error:
                    failures += 1
                    log.warning("cannot look for changes of orders; trying again", error=in_short(error))
                looks += 1
                pause = DOWN_SECONDS if failures > 1 else LOOK_SECONDS
                time.sleep(max(BREATH_SECONDS, began + pause - time.monotonic()))
        except BaseException:
            self._at_work = False  # The next request starts another watcher.
            raise

    def _is_wanted(self) -> bool:
        with self._mutex:
            self._at_work = bool(self._orders or self._users)
            if not self._users:
                self._newest.clear()
            return self._at_work

    def _look(self, *, with_users: bool) -> None:
        known: dict[int, list[str]] = defaultdict(list)
        with self._mutex:
            for order_id, version in self._orders:
                known[version].append(order_id)
        users = self._users_in_turn() if with_users else []
        if not known and not users:
            return
        with self._engine.connect().execution_options(read_only=True) as connection:
            if known:
                self._wake_for_orders(connection.execute(changes.changed_query(known)).all(), known)
            if users:
                self._look_at_users(connection, users)

    def _wake_for_orders(self, rows: Sequence[Row[Any]], versions: Iterable[int]) -> None:
        with self._mutex:
            for row in rows:
                for version in versions:
                    if version != row.version:
                        for waiter in self._orders.get((row.order_id, version), ()):
                            waiter.wake(row)

    def _users_in_turn(self) -> list[str]:
        """Those users whose last turn was longest ago, in this sequence."""
        with self._mutex:
            users = {user_id for user_id, _ in self._users}
        self._seen_at = {user_id: self._seen_at.get(user_id, 0.0) for user_id in users}
        self._newest = {user_id: self._newest[user_id] for user_id in users & self._newest.keys()}
        return heapq.nsmallest(USERS_AT_ONCE, users, key=self._seen_at.__getitem__)

    def _look_at_users(self, connection: Connection, users: Sequence[str]) -> None:
        signatures = {
            users[row.place]: (int(row.ids or 0), int(row.versions or 0))
            for row in connection.execute(*changes.activity_query(users))
        }
        with self._mutex:
            for user_id, signature in signatures.items():
                if user_id in self._newest and self._newest[user_id].signature != signature:
                    del self._newest[user_id]
            changed = {user_id for user_id, known in self._users if signatures.get(user_id, known) != known}
        # A user with changes whom this look does not reach is among the first of the next look.
        now, left = time.monotonic(), STREAMS_WOKEN
        self._seen_at.update(dict.fromkeys(set(users) - changed, now))
        for user_id in [user_id for user_id in users if user_id in changed][:USERS_READ]:
            if left == 0:
                break
            newest = Newest(connection.execute(changes.newest_query(user_id)).all()[::-1])
            self._newest[user_id] = newest
            self._seen_at[user_id] = now
            left -= self._wake_for_user(user_id, newest, most=left)

    def _wake_for_user(self, user_id: str, newest: Newest, *, most: int) -> int:
        """Wake at most so many streams of the user, those that wait longest first; how many they were."""
        with self._mutex:
            keys = [key for key in self._users if key[0] == user_id and key[1] != newest.signature]
            chosen = list(islice((waiter for key in keys for waiter in self._users[key]), most))
            for waiter in chosen:
                waiter.wake(newest)
        return len(chosen)
