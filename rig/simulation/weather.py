"""The weather: what goes wrong, and what others do, at times that the seed decides."""

import random
import sqlite3
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from orders_service.events.brokers.port import Outgoing
from orders_service.events.resolving import Resolution
from orders_service.processes import CONSUMERS, DATABASES
from rig.simulation.broker import Fate
from rig.simulation.database import DEADLOCK, LOCK_TIMEOUT, SERVER_LOST, Server, ServerError, Transaction
from rig.simulation.members import RESTART_SECONDS
from rig.simulation.others import Others
from rig.simulation.people import Customers, Operator
from rig.simulation.session import open_engine
from rig.simulation.world import Process, World

SLICES = 90.0  # The mean number of slices between two events of one kind.
CHANGED = 1020
SESSION_SECONDS = 10.0  # Until a group expels a member that is silent.
CURSED_SECONDS = 3.0
RESOLUTIONS: tuple[Resolution, ...] = ("replayed", "discarded")


class DataError(sqlite3.DataError):
    """A value that the column cannot hold."""


class Weather:
    """Lets things happen: `pass_slice` is called after each slice of a task."""

    def __init__(
        self, world: World, customers: Customers, operator: Operator, others: Others, products: Sequence[str]
    ) -> None:
        self._world = world
        self._operator = operator
        self._cursed: str | None = None
        self._slices = 0
        self._chances = {kind: world.plan.chance(kind) for kind in (*sorted(world.kinds), "customers come")}
        self._events: dict[str, Callable[[random.Random], None]] = {
            "customers come": lambda _: customers.arrive(),
            "crash": self._crash,
            "freeze": self._freeze,
            "clock": self._move_clock,
            "lease": self._expire_leases,
            "rebalance": self._rebalance,
            "batches": self._cut_batches,
            "broker-down": self._stop_broker,
            "curse": self._curse,
            "resend": lambda _: operator.do(operator.resend()),
            "requeue": lambda _: operator.do(operator.requeue_any()),
            "purge": lambda _: operator.do(operator.purge()),
            "supply": lambda chance: operator.do(operator.supply(chance.choice(products))),
            "dead-letters": self._resolve_letters,
            **others.events,
        }
        self._due = {kind: self._gap(kind) for kind in self._chances if kind in self._events}
        self._next = min(self._due.values())
        for server in world.servers.values():
            server.before = partial(self._before, server)
            server.after_commit = partial(self._after_commit, server)
        world.broker.fate = self._fate
        world.on_crash_point = self._pass_point

    def pass_slice(self) -> None:
        """Let happen what is due."""
        self._slices += 1
        if self._slices < self._next:
            return
        for server in self._world.servers.values():
            server.drop_idle()
        for kind, due in self._due.items():
            if due <= self._slices:
                self._events[kind](self._chances[kind])
                self._due[kind] = self._slices + self._gap(kind)
        self._next = min(self._due.values())

    def calm_down(self) -> None:
        """Let nothing go wrong any more, and mend what is broken."""
        world = self._world
        self._cursed = None
        world.broker.down, world.broker.max_poll_records = False, 500
        world.broker.fate = lambda _: Fate()
        world.on_crash_point = lambda _: None
        for server in world.servers.values():
            server.before, server.after_commit = lambda *_: None, lambda *_: None
        for process in world.processes:
            world.scheduler.freeze(process, 0)
        self.rejoin()

    def rejoin(self) -> None:
        """Let every consumer join its group again, and so read on from what the group has committed.

        A rebalance between the effects of a batch and its acknowledgement leaves the group's offset behind.
        """
        for subscription in self._world.subscriptions.values():
            self._world.broker.expel(subscription)

    def _resolve_letters(self, chance: random.Random) -> None:
        row, resolution = chance.choice(CONSUMERS), chance.choice(RESOLUTIONS)
        self._operator.do(self._operator.resolve(row, resolution))

    def _gap(self, kind: str) -> int:
        mean = {"customers come": 25, "dropped-log": 150, "recreated-topic": 250}.get(kind, SLICES)
        return 1 + int(self._chances[kind].expovariate(1 / mean))

    def _alive(self) -> list[Process]:
        return [process for process in self._world.processes if process.alive]

    def _later(self, seconds: float, work: Callable[[], object]) -> None:
        def run() -> None:
            self._world.scheduler.sleep(seconds)
            work()

        self._world.scheduler.spawn("later", run)

    # Processes.

    def _crash(self, chance: random.Random) -> None:
        if alive := self._alive():
            self._kill(chance.choice(alive), "while it waits", chance)

    def _kill(self, process: Process, why: str, chance: random.Random) -> None:
        world = self._world
        world.kill(process, why)
        if subscription := world.subscriptions.pop(process, None):
            self._later(SESSION_SECONDS, lambda: world.broker.expel(subscription))
        lives = process.lives

        def restart() -> None:
            if not process.alive and process.lives == lives:
                world.note(process.name, "starts again")
                process.start()

        self._later(chance.uniform(*RESTART_SECONDS), restart)

    def _pass_point(self, point: str) -> None:
        chance = self._chances.get("crash")
        if chance and chance.random() < 0.02:
            self._kill_current(f"at {point}", chance)

    def _kill_current(self, why: str, chance: random.Random) -> None:
        task = self._world.scheduler.current
        if task and isinstance(task.owner, Process) and task.owner.alive:
            self._kill(task.owner, why, chance)
            self._world.scheduler.pause()

    def _freeze(self, chance: random.Random) -> None:
        world = self._world
        if not (alive := self._alive()):
            return
        process, seconds = chance.choice(alive), chance.choice([0.5, 4.0, 15.0])
        world.note(process.name, f"frozen: for {seconds} s")
        world.scheduler.freeze(process, seconds)
        subscription = world.subscriptions.get(process)
        if subscription and seconds > SESSION_SECONDS:
            self._later(SESSION_SECONDS, lambda: world.broker.expel(subscription))

    def _move_clock(self, chance: random.Random) -> None:
        process = chance.choice(self._world.processes)
        process.skew = chance.uniform(-300, 300)
        self._world.note(process.name, f"clock moved: it is {process.skew:.0f} s off")

    # The databases.

    def _before(self, server: Server, session: Transaction, sql: str, values: Sequence[Any]) -> None:
        if not isinstance(session.owner, Process):
            return
        if self._cursed and sql.startswith("INSERT INTO reservations") and self._cursed in values:
            raise DataError(1366, "Incorrect string value")
        crash, lost = self._chances.get("crash"), self._chances.get("lost-connection")
        if crash and crash.random() < 0.003:
            self._kill_current(f"before {sql.split()[0]}", crash)
        if lost and lost.random() < 0.006:
            self._lose(server, session, f"before {sql.split()[0]}")
        conflict = self._chances.get("conflict")
        if conflict and session.writes and sql != "COMMIT" and conflict.random() < 0.03:
            code = conflict.choice([DEADLOCK, LOCK_TIMEOUT, CHANGED])
            if code == DEADLOCK:
                server.roll_back(session)
            raise ServerError(code, "conflict with another transaction")
        failed = self._chances.get("failed-commit")
        if failed and sql == "COMMIT" and failed.random() < 0.03:
            self._world.note(session.owner.name, "COMMIT fails")
            raise ServerError(DEADLOCK, "conflict at COMMIT")

    def _after_commit(self, server: Server, session: Transaction) -> None:
        if not isinstance(session.owner, Process):
            return
        crash, lost = self._chances.get("crash"), self._chances.get("lost-connection")
        if crash and crash.random() < 0.01:
            self._kill_current("right after COMMIT", crash)
        if lost and lost.random() < 0.01:
            self._lose(server, session, "after COMMIT")

    def _lose(self, server: Server, session: Transaction, when: str) -> None:
        self._world.note(getattr(session.owner, "name", ""), f"connection lost: {when}")
        server.drop(session)
        raise ServerError(SERVER_LOST, "Lost connection to server during query")

    def _expire_leases(self, _: random.Random) -> None:
        self._world.note("time", "leases expire")
        for database in DATABASES:
            with open_engine(self._world.servers[database], autocommit=True).connect() as connection:
                connection.exec_driver_sql("UPDATE leases SET expires_at = '2020-01-01 00:00:00'")

    def _curse(self, chance: random.Random) -> None:
        if self._cursed is None and self._world.laws.orders:
            self._cursed = chance.choice(list(self._world.laws.orders))
            self._world.note("catalog database", f"cursed: it refuses {self._cursed} for {CURSED_SECONDS} s")
            self._later(CURSED_SECONDS, self._lift_curse)

    def _lift_curse(self) -> None:
        self._cursed = None

    # The broker.

    def _fate(self, record: Outgoing) -> Fate:
        delay = 0.0005
        late = self._chances.get("late-send")
        if late and late.random() < 0.1:
            delay = late.choice([0.05, 1.0, 6.0])
        lost = self._chances.get("lost-acknowledgement")
        if lost and lost.random() < 0.03:
            return Fate(delay, stored=True, acknowledged=False)
        failed = self._chances.get("failed-send")
        if failed and failed.random() < 0.03:
            return Fate(delay, stored=False, acknowledged=False)
        refused = self._chances.get("refused-record")
        if refused and refused.random() < 0.01:
            return Fate(delay, stored=False, acknowledged=False, refused=True)
        return Fate(delay)

    def _stop_broker(self, chance: random.Random) -> None:
        world = self._world
        if not world.broker.down:
            seconds = chance.choice([0.3, 5.0, 40.0])
            world.note("broker", f"down: for {seconds} s")
            world.broker.down = True
            self._later(seconds, self._start_broker)

    def _start_broker(self) -> None:
        self._world.broker.down = False

    def _rebalance(self, chance: random.Random) -> None:
        group = chance.choice([self._world.settings.stock_group, self._world.settings.status_group])
        self._world.note("broker", f"rebalance: of {group}")
        self._world.broker.rebalance(group)

    def _cut_batches(self, chance: random.Random) -> None:
        self._world.broker.max_poll_records = chance.choice([1, 2, 5, 500])
        self._world.note("broker", f"batches: of {self._world.broker.max_poll_records} at most")
