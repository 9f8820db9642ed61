"""Group commit: the orders of all waiting requests are committed in one transaction.

A durable transaction costs about the same whether it holds one order or sixty. So a request does not commit
its order by itself: it puts the order in a queue. One committer at a time takes the orders that wait, places
them in one transaction, and gives each request its outcome. Orders that arrive meanwhile are the next group.
The committer is a thread that ends when the queue is empty.

Before it takes a group it *gathers*: with greenlets, it lets the event loop read all requests that have
arrived, which makes groups of dozens out of groups of three. Threads do not need this: they queue while it
commits. The same code serves both: with greenlets, gevent has patched `threading`.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from operator import attrgetter

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError

from orders_service import tracing
from orders_service.api.waiting import OrderOfBatch, Waiting, WaitingRequest
from orders_service.database import bounds
from orders_service.database.columns import Clock, utc_now
from orders_service.database.errors import DATA_ERRORS, error_code, in_short
from orders_service.database.transactions import Failover, in_transaction
from orders_service.events.outbox import Outbox
from orders_service.metrics.committer import COMMIT_SECONDS, GROUP_SIZE, PLACED, QUEUE
from orders_service.orders import service
from orders_service.orders.errors import KeyReused
from orders_service.orders.service import Placed, Placement

GROUP_MAX = 64
PLACEMENT = attrgetter("placement")
TRACEPARENT = attrgetter("traceparent")
ATTEMPTS = 3  # After a conflict there are only two retries, because clients wait.

log = structlog.get_logger()


class Overdue(Exception):
    """The commit timed out. It may be unknown whether the order was placed."""


class Overloaded(Exception):
    """The queue of orders is full. This order was not placed."""


def start_thread(work: Callable[[], None]) -> None:
    """Start the committer as a thread, which is a greenlet where gevent has patched `threading`."""
    threading.Thread(target=work, name="committer", daemon=True).start()


class Committer:
    """Places the orders of all waiting requests, one group at a time."""

    def __init__(
        self,
        engine: Engine,
        outbox: Outbox,
        *,
        gather: Callable[[], object] | None = None,
        waiting: Callable[[Placement], WaitingRequest] = WaitingRequest,
        start: Callable[[Callable[[], None]], None] = start_thread,
        queue_max: int = 512,
        clock: Clock = utc_now,
    ) -> None:
        self._engine = engine
        self._place = partial(service.place, outbox=outbox, clock=clock)  # Step (2).
        self._gather = gather
        self._waiting = waiting
        self._start_work = start
        self._queue_max = queue_max
        self._queue: deque[Waiting] = deque()
        self._mutex = threading.Lock()
        self._at_work = False
        self._failover = Failover()  # All groups share it: once it is over, they are refused at once.

    def require_room(self) -> None:
        """Raise `Overloaded` if the queue is full. The view calls it before it reads the body."""
        if len(self._queue) >= self._queue_max:
            raise Overloaded

    def place(self, placement: Placement) -> Placed:
        """Place the order with its event, durably, in one transaction with other waiting orders.

        Raises `KeyReused` or `Overloaded`. After `Overdue` or a database error the outcome may be unknown.
        """
        mine = self._waiting(placement)
        with self._mutex:
            self.require_room()
            self._queue.append(mine)
            idle, self._at_work = not self._at_work, True
        if idle:
            self._start()
        mine.wait(bounds.COMMIT_SECONDS)
        if mine.outcome is None:
            self._give_up([mine])
        if isinstance(mine.outcome, Placed):
            return mine.outcome
        if mine.outcome is None:
            raise Overdue(f"the order was not committed within {bounds.COMMIT_SECONDS} s")
        raise mine.outcome.with_traceback(None)  # A group shares one exception, whose traceback would grow.

    def place_all(self, placements: Sequence[Placement]) -> list[Placed | KeyReused]:
        """Place the orders of a batch as `place` does, all in one transaction; return one answer for each.

        Raises `Overloaded` if they do not fit in the queue. After `Overdue` or a database error it may be
        unknown which of them were placed.
        """
        last = self._waiting(placements[-1])
        mine: list[Waiting] = [*map(OrderOfBatch, placements[:-1]), last]
        with self._mutex:
            # A batch that is larger than the queue must wait until the queue is empty.
            if len(self._queue) + len(mine) > max(self._queue_max, len(mine)):
                raise Overloaded
            self._queue.extend(mine)
            idle, self._at_work = not self._at_work, True
        if idle:
            self._start()
        last.wait(bounds.COMMIT_SECONDS)
        if last.outcome is None:
            self._give_up(mine)
        return [_answer_of(waiting) for waiting in mine]

    def show_queue(self) -> None:
        """Show in the metrics how many orders wait. The server calls this about once a second."""
        QUEUE.set(len(self._queue))

    def _start(self) -> None:
        try:
            self._start_work(self._work)
        except RuntimeError:  # The system cannot start a thread. The next order tries again.
            self._at_work = False
            log.exception("cannot start the committer thread")

    def _give_up(self, mine: Sequence[Waiting]) -> None:
        """Remove the request's orders from the queue. If they are not there, they are being placed."""
        with self._mutex:
            if mine[-1] in self._queue:
                for waiting in mine:
                    self._queue.remove(waiting)

    def _work(self) -> None:
        try:
            while group := self._next():
                self._commit(group)
        except BaseException:
            self._at_work = False  # The next order starts another committer.
            raise

    def _next(self) -> list[Waiting]:
        """Take the next group from the queue. If it is empty, the committer ends. A batch is not divided."""
        if self._gather and len(self._queue) < GROUP_MAX:
            self._gather()
        with self._mutex:
            group = list(islice(self._queue, GROUP_MAX))
            for _ in group:
                self._queue.popleft()
            while group and type(group[-1]) is OrderOfBatch:
                group.append(self._queue.popleft())
            self._at_work = bool(group)
        return group

    def _commit(self, group: Sequence[Waiting]) -> None:
        placements = list(map(PLACEMENT, group))
        spans = tracing.begin_group(map(TRACEPARENT, placements), self._engine.dialect.name)
        work = partial(self._place, placements=placements)
        failed = ""
        try:
            with COMMIT_SECONDS.time():
                answers: Sequence[Placed | KeyReused | Exception] = self._committed(work)
        except Exception as error:
            failed = type(error).__name__
            if len(group) > 1 and _may_be_caused_by_one_order(error):
                log.warning("cannot commit a group of orders; placing them one by one", error=in_short(error))
                for waiting in group:
                    self._commit([waiting])
                return
            answers = [error] * len(group)
        for waiting, answer in zip(group, answers, strict=True):
            waiting.answer(answer)
        # The requests have their answers: nothing that counts or traces them can delay or change these.
        if placed := sum(type(answer) is Placed and not answer.replayed for answer in answers):
            GROUP_SIZE.observe(placed)
            PLACED.inc(placed)
        if spans is not None:
            spans.end(failed=dict.fromkeys(spans.places, failed) if failed else {})

    def _committed(self, work: Callable[..., list[Placed | KeyReused]]) -> list[Placed | KeyReused]:
        """Do *work* in a transaction. When the server has just been lost, its connection is retried, too."""
        again = partial(work, look_up_all=True)
        while True:
            try:
                with self._engine.connect() as connection:
                    return in_transaction(
                        connection, work, again=again, attempts=ATTEMPTS, failover=self._failover
                    )
            except DBAPIError as error:
                if not self._failover.goes_on(error):
                    raise
                work = again


def _answer_of(waiting: Waiting) -> Placed | KeyReused:
    outcome = waiting.outcome
    if outcome is None:
        raise Overdue(f"the orders were not committed within {bounds.COMMIT_SECONDS} s")
    if isinstance(outcome, Placed | KeyReused):
        return outcome
    raise outcome.with_traceback(None)


def _may_be_caused_by_one_order(error: Exception) -> bool:
    """Whether the error is a data error, so that a single order of the group may have caused it."""
    return isinstance(error, DataError | IntegrityError) or (
        isinstance(error, DBAPIError) and error_code(error) in DATA_ERRORS
    )
