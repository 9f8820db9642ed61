"""The simulated processes: APIs, relays and consumers, with the code that ships."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import sessionmaker

from orders_service import processes, resources
from orders_service.api.committer import ATTEMPTS, Committer, Overdue, Overloaded
from orders_service.api.waiting import WaitingRequest
from orders_service.database.columns import Clock
from orders_service.database.transactions import in_transaction
from orders_service.events.backoff import back_off
from orders_service.events.consumer import Consumer, Handler
from orders_service.events.errors import EventsGone, Stopped
from orders_service.events.relay import Relay
from orders_service.events.upkeep import PurgingWorker
from orders_service.events.worker import Worker
from orders_service.orders import service
from orders_service.orders.errors import KeyReused, OrderNotFound, OrderRejected
from orders_service.orders.order import Order
from orders_service.orders.service import Placement
from orders_service.workers import build
from orders_service.workers.loop import BACK_OFF_SECONDS
from rig.simulation.session import open_engine
from rig.simulation.world import Process, World

POLL_SECONDS = 1.0
IDLE_SECONDS = (0.005, 2.0)  # The shortest pause of a worker with nothing to do, and the longest.
RESTART_SECONDS = (0.05, 2.0)
KEEP = timedelta(seconds=5)  # How long published events stay in the outbox, where a history has a purge.
LETTER_BYTES = (3000, 10_000_000)
# The statuses of problems.py.
STATUSES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], int], ...] = (
    ((DBAPIError, PoolTimeout, Overdue, Overloaded), 503),
    (KeyReused, 422),
    (OrderNotFound, 404),
    (OrderRejected, 409),
)


def run_worker(process: Process, make: Callable[[Process], Worker]) -> None:
    """Repeat a worker's step, as `workers/loop.py` does."""
    world, failures, idle = process.world, 0, 0
    chance = world.plan.chance(process.incarnation)
    worker = make(process)
    while not process.stopping:
        try:
            busy = worker.step()
        except Stopped as error:
            world.note(process.name, f"stopped: {type(error).__name__}: {error}"[:140])
            _close(process, worker)
            world.on_stopped(process, isinstance(error, EventsGone))
            return
        except Exception as error:
            failures += 1
            world.failed(process.name, error)
            world.scheduler.sleep(
                back_off(failures, shortest=BACK_OFF_SECONDS[0], longest=BACK_OFF_SECONDS[1])
            )
            continue
        failures = 0
        if busy:
            world.note(process.name, "step")
            idle = 0
        elif not process.stopping:
            idle += 1
            world.scheduler.sleep(
                min(IDLE_SECONDS[0] * 8 ** min(idle, 4), IDLE_SECONDS[1]) * chance.uniform(0.5, 1)
            )
    _close(process, worker)
    world.note(process.name, "stopped by SIGTERM")


def _close(process: Process, worker: Worker) -> None:
    """Close a worker. What it cannot release now, such as a lease, expires."""
    process.alive = False
    try:
        worker.close()
    except Exception as error:
        process.world.failed(process.name, error)


def relay(world: World, row: processes.Relay, process: Process) -> Worker:
    """A relay; in histories with a purge it deletes old events, too."""
    engine = open_engine(world.servers[row.database], autocommit=True, hold_inserts=True)
    producer = world.broker.producer()
    topics = resources.sent_topics(world.settings, row)
    sender = Relay(engine, producer, owner=process.incarnation, topics=topics, clock=process.clock)
    if not world.has("purge"):
        return sender
    return PurgingWorker(sender, sessionmaker(engine), keep=KEEP, clock=process.clock)


def consumer(world: World, row: processes.Consumer, process: Process) -> Worker:
    """A consumer of its group."""
    engine = open_engine(world.servers[row.database], hold_inserts=True)
    group, topic = resources.group(world.settings, row), resources.topic(world.settings, row)
    subscription = world.broker.subscribe(group, [topic], skip_gap=world.skip_gap.pop(process, False))
    world.subscriptions[process] = subscription
    return Consumer(
        sessionmaker(engine, expire_on_commit=False),
        subscription,
        with_clock(build.handler(row, world.settings), process.clock),
        group=group,
        topics=[topic],
        database=row.database,
        dead_letter_bytes=world.letter_bytes,
        poll_seconds=POLL_SECONDS,
        clock=process.clock,
    )


def with_clock(handler: Any, clock: Clock) -> Handler:
    """A handler of ours with another clock than the real one."""
    return partial(handler, clock=clock)


@dataclass
class Answer:
    """An answer to a customer. The status is 0 if the connection broke."""

    status: int = 0
    body: Any = None


class Waiting(WaitingRequest):
    """A request that waits for its group's commit in a task."""

    world: World

    def wait(self, seconds: float) -> None:
        self.world.scheduler.wait(lambda: self.outcome is not None, seconds)

    def answer(self, outcome: Any) -> None:
        self.outcome = outcome


class Api:
    """A process that answers customers."""

    def __init__(self, world: World, name: str) -> None:
        self.world = world
        self.process = Process(name, world, self._boot)
        self._requests = sessionmaker(open_engine(world.servers["orders"]), expire_on_commit=False)

    def _boot(self, process: Process) -> None:
        """Begin to answer. What an earlier process had in memory is gone."""
        scheduler = self.world.scheduler

        def start(work: Callable[[], None]) -> None:
            scheduler.spawn(f"{process.name} committer", work, owner=process)

        waiting = type("Waiting", (Waiting,), {"world": self.world})
        self._committer = Committer(
            open_engine(self.world.servers["orders"], hold_inserts=True),
            self.world.outbox("orders"),
            waiting=waiting,
            start=start,
            clock=process.clock,
        )

    def place(self, placement: Placement) -> Answer:
        """Place an order: 201 and its id."""
        return self._answered(lambda: Answer(201, self._committer.place(placement).order.order_id))

    def cancel(self, user_id: str, order_id: str) -> Answer:
        """Cancel an order, as the view does."""
        work = partial(
            service.cancel,
            user_id=user_id,
            order_id=order_id,
            outbox=self.world.outbox("orders"),
            clock=self.process.clock,
        )

        def cancel() -> Answer:
            with self._requests() as session:
                return Answer(200, in_transaction(session, work, attempts=ATTEMPTS).status)

        return self._answered(cancel)

    def show(self, user_id: str, order_id: str) -> Answer:
        """The status of an order."""

        def show() -> Answer:
            with self._requests() as session:
                order: Order = service.get(session, user_id, order_id)
                return Answer(200, order.status)

        return self._answered(show)

    def _answered(self, work: Callable[[], Answer]) -> Answer:
        """Do *work* in a task of this process, and wait for its answer."""
        given = Answer()

        def run() -> None:
            try:
                answer = work()
            except Exception as error:
                status = next((status for kinds, status in STATUSES if isinstance(error, kinds)), 500)
                answer = Answer(status, f"{type(error).__name__}: {error}"[:200])
                if status >= 500:
                    self.world.failed(self.process.name, error)
            given.status, given.body = answer.status, answer.body

        scheduler = self.world.scheduler
        task = scheduler.spawn(f"{self.process.name} request", run, owner=self.process)
        scheduler.wait(lambda: task.is_over, 15)
        return given
