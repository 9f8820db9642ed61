"""The faults of a history, and what its people do: each kind at times that the seed decides."""

import random
from collections.abc import Callable, Sequence

from orders_service.events.brokers.port import Outgoing
from orders_service.events.resolving import Resolution
from orders_service.processes import CONSUMERS
from rig.simulation.database_faults import DatabaseFaults
from rig.simulation.members import RESTART_SECONDS
from rig.simulation.others import Others
from rig.simulation.people import Customers, Operator
from rig.simulation.sending import Fate
from rig.simulation.world import Process, World

SLICES = 90  # The mean number of slices between two events of a kind, where `MEANS` has no other.
MEANS = {"customers come": 25, "dropped-log": 60, "recreated-topic": 200}
IDLE_SLICES = 32  # Between two looks for sessions that idle in a transaction.
SESSION_SECONDS = 10.0  # Until a group expels a member that is silent.
RESOLUTIONS: tuple[Resolution, ...] = ("replayed", "discarded")


class Faults:
    """Lets things happen: `pass_slice` is called after each slice of a task."""

    def __init__(
        self, world: World, customers: Customers, operator: Operator, others: Others, products: Sequence[str]
    ) -> None:
        self._world = world
        self._operator = operator
        self._slices = 0
        self._chances = {kind: world.plan.chance(kind) for kind in (*sorted(world.kinds), "customers come")}
        self.databases = DatabaseFaults(
            world, self._chances, kill=self._kill_current, next_order_id=customers.next_order_id
        )
        self._events: dict[str, Callable[[random.Random], None]] = {
            "customers come": lambda _: customers.arrive(),
            "crash": self._crash,
            "restart": self._stop_process,
            "freeze": self._freeze,
            "clock": self._move_clock,
            "rebalance": self._rebalance,
            "batches": self._cut_batches,
            "broker-down": self._stop_broker,
            "resend": lambda _: operator.do(operator.resend()),
            "requeue": lambda _: operator.do(operator.requeue_any()),
            "purge": lambda _: operator.do(operator.purge()),
            "supply": lambda chance: operator.do(operator.supply(chance.choice(products))),
            "correct": lambda chance: operator.do(operator.correct(chance.choice(products))),
            "dead-letters": self._resolve_letters,
            **self.databases.events,
            **others.events,
        }
        self._due = {kind: self._gap(kind) for kind in self._chances if kind in self._events}
        self._next = min(self._due.values())
        world.broker.fate = self._fate
        world.on_crash_point = self._pass_point

    def pass_slice(self) -> None:
        """Let happen what is due."""
        self._slices += 1
        if self._slices % IDLE_SLICES == 0:
            for server in self._world.servers.values():
                server.drop_idle()
        if self._slices < self._next:
            return
        for kind, due in self._due.items():
            if due <= self._slices:
                self._events[kind](self._chances[kind])
                self._due[kind] = self._slices + self._gap(kind)
        self._next = min(self._due.values())

    def end(self) -> None:
        """Let nothing go wrong any more, and repair what is broken."""
        world = self._world
        self.databases.end()
        world.broker.down, world.broker.max_poll_records = False, 500
        world.broker.fate = lambda _: Fate()
        world.on_crash_point = lambda _: None
        for process in world.processes:
            world.scheduler.freeze(process, 0)
        self.rejoin()

    def rejoin(self) -> None:
        """Let every consumer join its group again, and so read on from what the group has committed.

        A rebalance between the effects of a batch and its acknowledgement leaves the group's offset behind.
        """
        for subscription in self._world.subscriptions.values():
            self._world.broker.expel(subscription)

    def _gap(self, kind: str) -> int:
        return 1 + int(self._chances[kind].expovariate(1 / MEANS.get(kind, SLICES)))

    def _resolve_letters(self, chance: random.Random) -> None:
        row, resolution = chance.choice(CONSUMERS), chance.choice(RESOLUTIONS)
        self._operator.do(self._operator.resolve(row, resolution))

    def _alive(self) -> list[Process]:
        return [process for process in self._world.processes if process.alive]

    def _crash(self, chance: random.Random) -> None:
        if alive := self._alive():
            self._kill(chance.choice(alive), "while it waits", chance)

    def _pass_point(self, point: str) -> None:
        chance = self._chances.get("crash")
        if chance and chance.random() < 0.02:
            self._kill_current(f"at {point}", chance)

    def _kill_current(self, why: str, chance: random.Random) -> None:
        task = self._world.scheduler.current
        if task and isinstance(task.owner, Process) and task.owner.alive:
            self._kill(task.owner, why, chance)
            self._world.scheduler.pause()

    def _kill(self, process: Process, why: str, chance: random.Random) -> None:
        world = self._world
        world.kill(process, why)
        if subscription := world.subscriptions.pop(process, None):
            world.later(SESSION_SECONDS, lambda: world.broker.expel(subscription))
        world.later(chance.uniform(*RESTART_SECONDS), process.restart)

    def _stop_process(self, chance: random.Random) -> None:
        """Send SIGTERM to a worker: it ends after its step, releases its leases, and is started again."""
        workers = [process for process in self._alive() if not process.name.startswith("api")]
        if workers:
            process = chance.choice(workers)
            process.stopping = True
            self._world.later(chance.uniform(*RESTART_SECONDS), process.restart)

    def _freeze(self, chance: random.Random) -> None:
        """Freeze a process or, as when a host stalls, every process of a command."""
        if not (alive := self._alive()):
            return
        one, seconds = chance.choice(alive), chance.choice([0.5, 4.0, 15.0])
        command = one.name.partition("#")[0]
        for process in alive if chance.random() < 0.4 else [one]:
            if process.name.startswith(command):
                self._freeze_process(process, seconds)

    def _freeze_process(self, process: Process, seconds: float) -> None:
        world = self._world
        world.note(process.name, f"frozen: for {seconds} s")
        world.scheduler.freeze(process, seconds)
        subscription = world.subscriptions.get(process)
        if subscription and seconds > SESSION_SECONDS:
            world.later(SESSION_SECONDS, lambda: world.broker.expel(subscription))

    def _move_clock(self, chance: random.Random) -> None:
        process = chance.choice(self._world.processes)
        process.skew = chance.uniform(-300, 300)
        self._world.note(process.name, f"clock moved: it is {process.skew:.0f} s off")

    def _fate(self, record: Outgoing) -> Fate:
        """The fate of a record that a producer sends."""
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
            self._world.laws.refused.add((dict(record.headers).get("ce_id") or b"").decode())
            return Fate(delay, stored=False, acknowledged=False, refused=True)
        return Fate(delay)

    def _stop_broker(self, chance: random.Random) -> None:
        world = self._world
        if not world.broker.down:
            seconds = chance.choice([0.3, 5.0, 40.0])
            world.note("broker", f"down: for {seconds} s")
            world.broker.down = True
            world.later(seconds, self._start_broker)

    def _start_broker(self) -> None:
        self._world.broker.down = False

    def _rebalance(self, chance: random.Random) -> None:
        group = chance.choice([self._world.settings.stock_group, self._world.settings.status_group])
        self._world.note("broker", f"rebalance: of {group}")
        self._world.broker.rebalance(group)

    def _cut_batches(self, chance: random.Random) -> None:
        self._world.broker.max_poll_records = chance.choice([1, 2, 5, 500])
        self._world.note("broker", f"batches: of {self._world.broker.max_poll_records} at most")
