"""The world of one history: both databases, the broker, the processes, and the story of what happens."""

import logging
import random
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, MutableMapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from orders_service import crash_points, resources, runtime
from orders_service.api.committer import Overdue, Overloaded
from orders_service.database.errors import in_short
from orders_service.events.brokers.port import BrokerError
from orders_service.events.outbox import Outbox
from orders_service.processes import DatabaseName
from orders_service.settings import Settings
from rig.simulation.broker import SimulatedBroker
from rig.simulation.database import Server
from rig.simulation.laws import Laws
from rig.simulation.scheduler import EPOCH, Scheduler

# What may happen beside orders. Half of the histories have each; every tenth is calm, and has none.
KINDS = (
    *("crash", "restart", "freeze", "clock", "lease", "rebalance", "batches"),
    *(
        "lost-acknowledgement",
        "failed-send",
        "late-send",
        "refused-record",
        "broker-down",
        "foreign-transaction",
    ),
    *("lost-connection", "conflict", "failed-commit", "refused-order", "database-down", "no-writes"),
    *("poison", "contradiction", "redelivery", "dropped-log", "recreated-topic"),
    *("resend", "requeue", "purge", "supply", "dead-letters", "correct"),
)
CALM = 0.1
INFRASTRUCTURE = (DBAPIError, PoolTimeout, BrokerError, Overdue, Overloaded)
STEPS = 50  # While things go wrong. Then a history comes to rest, in about as many more.


@dataclass(frozen=True)
class Plan:
    """What is simulated: the seed decides all, but for the number of *steps* and the kinds left out."""

    seed: int
    steps: int = STEPS
    without: frozenset[str] = frozenset()

    def chance(self, subject: str) -> random.Random:
        """A generator for one subject alone, so that leaving something out changes nothing else."""
        return random.Random(f"{self.seed} {subject}")


@dataclass(eq=False)
class Process:
    """A simulated process. Its *clock* may be wrong by *skew* seconds."""

    name: str
    world: "World"
    boot: Callable[["Process"], object]  # Starts its tasks.
    skew: float = 0.0
    lives: int = 0
    alive: bool = False
    stopping: bool = False  # It has received SIGTERM.

    @property
    def incarnation(self) -> str:
        return f"{self.name}/{self.lives}"

    def clock(self) -> datetime:
        """The time, as this process knows it."""
        return EPOCH + timedelta(seconds=self.world.scheduler.now + self.skew)

    def start(self) -> None:
        self.lives, self.alive, self.stopping = self.lives + 1, True, False
        self.boot(self)

    def restart(self) -> None:
        """Start again, unless something else has started it meanwhile."""
        if not self.alive:
            self.world.note(self.name, "starts again")
            self.start()
        elif self.stopping:
            self.world.later(1, self.restart)


@dataclass
class World:
    """Everything that a history consists of."""

    plan: Plan
    servers: dict[DatabaseName, Server]
    settings: Settings
    tell: Callable[[str], None] | None = None  # Prints a line of the story.
    steps: int = 0
    problems: list[str] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)  # What happened, and how often.
    kinds: Collection[str] = ()
    processes: list[Process] = field(default_factory=list)
    subscriptions: dict[Process, Any] = field(default_factory=dict)
    skip_gap: dict[Process, bool] = field(default_factory=dict)  # Consumers that are started with --skip-gap.
    letter_bytes: int = 10_000_000
    on_stopped: Callable[[Process, bool], None] = lambda *_: (
        None
    )  # A consumer stopped; True: events are gone.
    on_crash_point: Callable[[str], None] = lambda _: None

    def __post_init__(self) -> None:
        chance = self.plan.chance("kinds")
        drawn = [kind for kind in KINDS if chance.random() < 0.5]
        self.is_calm = chance.random() < CALM
        self.kinds = () if self.is_calm else frozenset(drawn) - self.plan.without
        self.scheduler = Scheduler(self.plan.chance("scheduler"))
        for server in self.servers.values():
            server.begin(self.scheduler)
        self.broker = SimulatedBroker(self.scheduler)
        self.laws = Laws(self.servers, self._change if self.tell else None)
        self.laws.watch()
        self.broker.appended = self.laws.on_record
        self.topics = resources.topics(self.settings)
        self._ids = self.plan.chance("ids")

    def has(self, kind: str) -> bool:
        """Whether things of this kind may happen in this history."""
        return kind in self.kinds

    def outbox(self, database: DatabaseName) -> Outbox:
        return resources.outbox(self.settings, database)

    def note(self, actor: str, what: str, *, counts: bool = True) -> None:
        """Write a line of the story, which is a step if it *counts*."""
        self.steps += counts
        self.seen[what.partition(":")[0]] += 1
        if self.tell:
            self.tell(f"{self.steps:4} {self.scheduler.now:9.4f}  {actor:18} {what}")

    @contextmanager
    def installed(self) -> Iterator[None]:
        """Put this world in the place of the real time, chance and crash points, until the block ends."""
        noise, level = self.plan.chance("noise"), logging.INFO if self.tell else logging.CRITICAL
        logs = structlog.get_config()
        with ExitStack() as real:
            for module, name, simulated in (
                (runtime, "monotonic", lambda: self.scheduler.now),
                (runtime, "sleep", self.scheduler.sleep),
                (runtime, "uniform", noise.uniform),
                (runtime, "uuid4", lambda: uuid.UUID(int=self._ids.getrandbits(128), version=4)),
                (crash_points, "at", lambda point: self.on_crash_point(point)),
            ):
                real.callback(setattr, module, name, getattr(module, name))
                setattr(module, name, simulated)
            real.callback(structlog.configure, **logs)
            wrapper = structlog.make_filtering_bound_logger(level)
            structlog.configure(processors=[self._log], wrapper_class=wrapper)
            yield

    def later(self, seconds: float, work: Callable[[], object]) -> None:
        """Do *work* after so many seconds."""

        def run() -> None:
            self.scheduler.sleep(seconds)
            work()

        self.scheduler.spawn("later", run)

    def kill(self, process: Process, why: str) -> None:
        """Kill a process, as SIGKILL does: its sessions are rolled back, its memory is gone."""
        self.note(process.name, f"killed: {why}")
        process.alive = False
        for server in self.servers.values():
            for session in [session for session in server.sessions if session.owner is process]:
                server.drop(session)
        self.scheduler.kill(process)

    def failed(self, actor: str, error: Exception) -> None:
        """Note that a step, a request or a command failed. Only databases and brokers may let one fail."""
        if not isinstance(error, INFRASTRUCTURE):
            self.problems.append(f"unexpected error: {actor}: {type(error).__name__}: {error}")
        self.note(actor, f"failed: {type(error).__name__}: {in_short(error)}".splitlines()[0])

    def _change(self, what: str) -> None:
        """Tell of a row or a record that has changed, by the task that runs now."""
        task = self.scheduler.current
        self.note(task.name if task else "broker", f"  {what}", counts=False)

    def _log(self, _: Any, level: str, event: MutableMapping[str, Any]) -> str:
        task = self.scheduler.current
        words = " ".join(f"{name}={value}" for name, value in event.items() if name != "event")
        self.note(task.name if task else "", f"  logs {level}: {event['event']} {words}"[:300], counts=False)
        raise structlog.DropEvent
