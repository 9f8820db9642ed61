"""Group commit: those who wait for a commit are committed together.

A durable transaction costs about the same whether it holds one order or sixty. So a request does not commit
its order by itself: it queues, and one committer at a time takes all who wait, places them in one transaction
and tells each what came of it. Who comes meanwhile is the next group. It lives while somebody waits.

Before it takes a group it *gathers*: with greenlets it lets the event loop read all requests that have come,
which makes groups of dozens out of groups of three. Threads need no such thing; they queue while it commits.
The same code serves both: where gevent has made a process's locks and threads its own, it has made these.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from orders_service import database
from orders_service.database import Clock, in_transaction, utc_now
from orders_service.events.outbox import Outbox
from orders_service.orders import service
from orders_service.orders.errors import KeyReused
from orders_service.orders.service import Placed, Placement

GROUP_MAX = 64
ATTEMPTS = 2  # Clients wait: what was disturbed is done again once.

log = structlog.get_logger()


class Overdue(Exception):
    """The commit took too long. Whether the order is placed may be unknown."""


class Overloaded(Exception):
    """As many orders wait as may. This one was not placed."""


class Waiting:
    """A request that waits for its group's commit: a thread."""

    __slots__ = ("_answered", "outcome", "placement")

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.outcome: Placed | Exception | None = None
        self._answered = threading.Lock()
        self._answered.acquire()

    def wait(self, seconds: float) -> None:
        """Wait for the answer, so long."""
        self._answered.acquire(timeout=seconds)

    def answer(self, outcome: Placed | Exception) -> None:
        """Let the request go on."""
        self.outcome = outcome
        self._answered.release()


class Committer:
    """Places the orders of all requests that wait, a group at a time."""

    def __init__(
        self,
        engine: Engine,
        outbox: Outbox,
        *,
        gather: Callable[[], object] = lambda: None,
        waiting: Callable[[Placement], Waiting] = Waiting,
        queue_max: int = 512,
        clock: Clock = utc_now,
    ) -> None:
        self._engine = engine
        self._place = partial(service.place, outbox=outbox, clock=clock)
        self._gather = gather
        self._waiting = waiting
        self._queue_max = queue_max
        self._queue: deque[Waiting] = deque()
        self._mutex = threading.Lock()
        self._at_work = False

    def require_room(self) -> None:
        """Raise `Overloaded` if no more orders may wait. A request asks before its body is read."""
        if len(self._queue) >= self._queue_max:
            raise Overloaded

    def place(self, placement: Placement) -> Placed:
        """Place the order with its event, durably, together with those that wait.

        Raises `KeyReused` or `Overloaded`. After `Overdue` or a database error the outcome may be unknown.
        """
        mine = self._waiting(placement)
        with self._mutex:
            self.require_room()
            self._queue.append(mine)
            idle, self._at_work = not self._at_work, True
        if idle:
            self._start()
        mine.wait(database.COMMIT_SECONDS)
        if mine.outcome is None:
            self._give_up(mine)
        if isinstance(mine.outcome, Placed):
            return mine.outcome
        if mine.outcome is None:
            raise Overdue(f"no commit within {database.COMMIT_SECONDS} s")
        raise mine.outcome.with_traceback(None)  # A whole group shares it.

    def _start(self) -> None:
        try:
            threading.Thread(target=self._work, name="committer", daemon=True).start()
        except RuntimeError:  # There is no thread to be had. Whoever comes next tries again.
            self._at_work = False
            log.exception("no committer")

    def _give_up(self, mine: Waiting) -> None:
        """Leave the queue. Who has left it before is being placed."""
        with self._mutex:
            if mine in self._queue:
                self._queue.remove(mine)

    def _work(self) -> None:
        try:
            while group := self._next():
                self._commit(group)
        except BaseException:
            self._at_work = False  # The next order starts another committer.
            raise

    def _next(self) -> list[Waiting]:
        """Those who wait now; none, and the committer ends."""
        if len(self._queue) < GROUP_MAX:
            self._gather()
        with self._mutex:
            group = [self._queue.popleft() for _ in range(min(GROUP_MAX, len(self._queue)))]
            self._at_work = bool(group)
        return group

    def _commit(self, group: Sequence[Waiting]) -> None:
        placements = [waiting.placement for waiting in group]
        work = partial(self._place, placements=placements)
        try:
            with self._engine.connect() as connection:
                answers: Sequence[Placed | KeyReused | Exception] = in_transaction(
                    connection, work, again=partial(work, look_up_all=True), attempts=ATTEMPTS
                )
        except Exception as error:
            if len(group) > 1 and _is_of_one(error):
                log.warning("group refused, its orders are placed one by one", error=database.in_short(error))
                for waiting in group:
                    self._commit([waiting])
                return
            answers = [error] * len(group)
        for waiting, answer in zip(group, answers, strict=True):
            waiting.answer(answer)


def _is_of_one(error: Exception) -> bool:
    """Whether one order of a group may have spoilt it for the others."""
    return isinstance(error, DataError | IntegrityError) or (
        isinstance(error, DBAPIError) and database.error_code(error) in database.DATA_ERRORS
    )
