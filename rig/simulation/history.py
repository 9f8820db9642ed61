"""One history: it is made step by step, brought to rest, and judged."""

import sqlite3
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from orders_service import migrations, processes, resources
from orders_service.catalog import service as catalog
from orders_service.database.engines import open_engine
from orders_service.events import dead_letters
from orders_service.events.brokers.port import TopicSpec
from orders_service.events.worker import Worker
from orders_service.processes import CONSUMERS, DATABASES, RELAYS
from orders_service.settings import Settings
from rig.promises import History, violations
from rig.simulation import members, session
from rig.simulation.database import Server
from rig.simulation.faults import Faults
from rig.simulation.laws import Broken
from rig.simulation.members import Api
from rig.simulation.others import Others
from rig.simulation.people import PRICE, Customers, Operator
from rig.simulation.scheduler import EPOCH
from rig.simulation.world import Plan, Process, World
from rig.stored import fact_of, read_tables

REST_SLICES = 15_000  # A history that does not come to rest within so many slices hangs.
REJOIN_SLICES = 1000  # Between two times that all consumers join their groups again.
CLOCK_SECONDS = 600  # More than the clocks of two processes may differ.
REPAIRS = 4  # So often the operator looks again whether there is something to repair.
LOOK_SLICES = 40  # Between two looks whether it rests.


@dataclass(frozen=True)
class Verdict:
    """The result of a history: the *problems*, which are empty if every promise was kept."""

    plan: Plan
    problems: tuple[str, ...]
    steps: int
    kinds: tuple[str, ...]


class Simulation:
    """One history, from its plan to its verdict."""

    def __init__(self, plan: Plan, tell: Callable[[str], None] | None = None) -> None:
        chance = plan.chance("size")
        self.world = World(plan, servers(), chance.choice(settings()), tell)
        self._chance = chance
        self._products = [f"product-{number}" for number in range(chance.randint(1, 3))]
        spec = TopicSpec(partitions=chance.randint(1, 3))
        self.world.broker.create_topics(self.world.topics.names, spec)
        self._stock_up()
        self._apis = [Api(self.world, f"api#{number}") for number in range(chance.randint(1, 2))]
        self._processes()
        self.customers = Customers(self.world, self._apis, [*self._products, "unknown-product"])
        self.operator = Operator(self.world)
        self.others = Others(self.world)
        self.faults = Faults(self.world, self.customers, self.operator, self.others, self._products)
        self.world.on_stopped = self._attend

    def __str__(self) -> str:
        processes = Counter(process.name.partition("#")[0] for process in self.world.processes)
        kinds = ", ".join(sorted(self.world.kinds)) or "nothing beside orders"
        return f"{', '.join(f'{count} {name}' for name, count in processes.items())}\nwith {kinds}"

    def run(self) -> Verdict:
        """Make the history, and judge it."""
        world, problems = self.world, []
        try:
            with world.installed():
                for process in world.processes:
                    process.start()
                while world.steps < world.plan.steps:
                    world.scheduler.run_one()
                    self.faults.pass_slice()
                self._come_to_rest()
                problems = [*world.problems, *self._judge()]
        except Broken as error:
            problems = [f"law: {error}"]
        except AssertionError as error:
            problems = [str(error)]
        finally:
            world.scheduler.close()
        return Verdict(world.plan, tuple(problems), world.steps, tuple(sorted(world.kinds)))

    def _stock_up(self) -> None:
        with Session(session.open_engine(self.world.servers["catalog"])) as opened:
            for product in self._products:
                supply = {"note": "opening stock", "now": EPOCH, "name": product, "unit_price": PRICE}
                catalog.supply(opened, product, self._chance.randint(3, 20), **supply)  # type: ignore[arg-type]
            opened.commit()

    def _processes(self) -> None:
        world, chance = self.world, self._chance
        world.letter_bytes = chance.choice(members.LETTER_BYTES)
        world.processes += [api.process for api in self._apis]
        self._rows: dict[Process, processes.Worker] = {}
        for row in (*RELAYS, *CONSUMERS):
            for number in range(chance.randint(1, 3)):
                process = Process(f"{row.command}#{number}", world, self._boot)
                self._rows[process] = row
                world.processes.append(process)

    def _boot(self, process: Process) -> None:
        row, world = self._rows[process], self.world

        def make(process: Process) -> Worker:
            if isinstance(row, processes.Relay):
                return members.relay(world, row, process)
            assert isinstance(row, processes.Consumer)
            return members.consumer(world, row, process)

        world.scheduler.spawn(process.name, lambda: members.run_worker(process, make), owner=process)

    def _attend(self, process: Process, gone: bool) -> None:
        row = self._rows[process]
        assert isinstance(row, processes.Consumer)
        self.operator.attend(process, row, gone=gone)

    def _come_to_rest(self) -> None:
        """Mend everything, and run on until nothing is left to do."""
        world = self.world
        world.note("world", "comes to rest", counts=False)
        self.faults.end()
        for process in world.processes:
            if not process.alive and not self.operator.attends(process):
                process.start()
        for api in self._apis:
            self.customers.arrive(api)
        self._run_until(lambda: self.customers.are_served and not self.operator.busy)
        if self.others.events_are_gone:
            # Where the catalog's events are not sent again, it repeats its answers to those of the orders.
            databases = self._chance.choice((DATABASES, DATABASES[:1]))
            self.operator.do(*(self.operator.requeue(database, since=0) for database in databases))
        for _ in range(REPAIRS):
            self.operator.do(
                *(self.operator.requeue(database) for database in DATABASES),
                *(self.operator.resolve(row, "replayed") for row in CONSUMERS),
            )
            if self._lost_answers():
                latest = EPOCH + timedelta(seconds=world.scheduler.now + CLOCK_SECONDS)
                self.operator.do(self.operator.resend(latest))
            self._run_until(lambda: not self._unrest())
            if not self._count("outbox", "error IS NOT NULL") and not self._lost_answers():
                return

    def _lost_answers(self) -> bool:
        """Whether orders wait for answers that a purge or an operator has deleted."""
        may_be = self.others.events_are_gone or self.faults.databases.refused_orders
        return bool(may_be and self._count("orders", "status = 'PENDING'"))

    def _count(self, table: str, condition: str) -> int:
        """How many rows of the databases meet *condition*."""
        query = f"SELECT count(*) FROM {table} WHERE {condition}"
        servers = [server for server in self.world.servers.values() if table in server.tables]
        return sum(server.rows(query)[0][0] for server in servers)

    def _run_until(self, ready: Callable[[], bool]) -> None:
        for slices in range(REST_SLICES):
            if slices % LOOK_SLICES == 0 and ready():
                return
            if slices % REJOIN_SLICES == REJOIN_SLICES - 1:
                self.faults.rejoin()
            self.world.scheduler.run_one()
        raise AssertionError(f"it does not come to rest: {self._unrest()}")

    def _unrest(self) -> list[str]:
        """The work that is left: pending events, unread records, open transactions."""
        world, found = self.world, []
        if self.operator.busy:
            found.append("the operator is at work")
        for database, server in world.servers.items():
            if pending := server.rows("SELECT count(*) FROM outbox WHERE lane IS NOT NULL")[0][0]:
                found.append(f"{pending} events of {database} are pending")
        if self.others.busy:
            found.append("others send records")
        if world.broker.open_transactions(self.others.topics):
            found.append("transactions are open")
        for row in CONSUMERS:
            group, topic = resources.group(world.settings, row), resources.topic(world.settings, row)
            if lag := world.broker.describe_group(group, [topic]).lag:
                found.append(f"{row.command} has not read {lag} records")
        return found

    def _judge(self) -> list[str]:
        world, laws = self.world, self.world.laws
        history = History(told=self.customers.told)
        sessions = {name: Session(session.open_engine(server)) for name, server in world.servers.items()}
        with sessions["orders"] as orders, sessions["catalog"] as catalog_:
            read_tables(history, orders, catalog_)
        dead = {(d.topic, d.partition, d.offset, d.record_timestamp): d for d in history.dead}
        read = [record for record in world.broker.archive if record.topic != world.topics.sink]
        history.facts = [fact for record in read if _place(record) not in dead and (fact := fact_of(record))]
        history.outbox = [row for row in laws.recorded() if row.topic != world.topics.sink]
        values = {bytes(letter.value or b"") for letter in history.dead}
        good = [letter for letter in history.dead if bytes(letter.value or b"") not in self.others.poison]
        history.poison = (self.others.poison - self.others.dropped) | values
        without = set()
        late = {fact.order_id for record in read if _place(record) in dead and (fact := fact_of(record))}
        history.reordered = laws.set_aside | late  # Sent again, or replayed, after the order's other event.
        supplies = world.servers["catalog"].rows("SELECT count(*) FROM supplies")[0][0]
        if good or self.others.events_are_gone or supplies > len(self._products):
            without.add("the_log_decides")  # Its model knows neither replays nor supplies.
        if self.others.recreated:
            without.add("first_deliveries_are_in_order")  # It compares offsets.
        found = violations(history, without=without)
        found += [*self._letters(good), *self._sink_problems()]
        return found + (self._calm_problems() if world.is_calm else [])

    def _letters(self, good: Sequence[Any]) -> Iterator[str]:
        """A good record is a dead letter only if a database has refused its order, and is then replayed."""
        for letter in good:
            fact = fact_of(dead_letters.record_of(letter))
            if fact is None or fact.order_id not in self.faults.databases.refused_orders:
                yield f"a good record became a dead letter: {letter.reason}, {letter.detail[:80]}"
            elif not letter.resolution:
                yield f"a good record is still a dead letter: {letter.reason}, {letter.detail[:80]}"

    def _sink_problems(self) -> list[str]:
        """Every record for a sink is sent."""
        world = self.world
        rows = [row for row in world.laws.recorded() if row.topic == world.topics.sink]
        sent = {(dict(record.headers).get("ce_id") or b"").decode() for record in world.broker.archive}
        lost = [row.aggregateid for row in rows if row.lane or row.error or row.id not in sent]
        return [f"the sink has not got {', '.join(lost[:3])}"] * bool(lost)

    def _calm_problems(self) -> list[str]:
        """Where nothing goes wrong, nothing fails, and each recorded event is sent once."""
        world = self.world
        failed = [f"{world.seen['failed']} requests or steps failed"] * bool(world.seen["failed"])
        sent = Counter((dict(record.headers)["ce_id"] or b"").decode() for record in world.broker.archive)
        recorded = Counter(row.id for row in world.laws.recorded())
        more = sent - recorded
        return failed + [f"{more.total()} events were sent twice"] * bool(more)


def _place(record: object) -> tuple[object, ...]:
    return tuple(getattr(record, name) for name in ("topic", "partition", "offset", "timestamp"))


@cache
def settings() -> list[Settings]:
    """The settings of the simulated service: without and with a topic for a sink."""
    return [Settings.read({"ORDERS_SINK_TOPIC": sink}) for sink in ("", "orders")]


@cache
def servers() -> dict[processes.DatabaseName, Server]:
    """Both databases, migrated as every database is, without the course's products."""
    found: dict[processes.DatabaseName, Server] = {}
    with tempfile.TemporaryDirectory() as folder:
        for database in DATABASES:
            path = Path(folder, f"{database}.db")
            engine = open_engine(f"sqlite:///{path}", create=True)
            migrations.upgrade(engine, database)
            engine.dispose()
            with closing(sqlite3.connect(path)) as template:
                memory = sqlite3.connect(":memory:", isolation_level=None)
                template.backup(memory)
                if database == "catalog":
                    memory.execute("DELETE FROM catalog")
                    memory.execute("DELETE FROM supplies")
                found[database] = Server(memory)
    return found
