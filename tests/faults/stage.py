"""A deployment with customers. A fault happens to it; then it must come to rest, and is judged."""

import itertools
import random
import signal
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import kafka
import psutil
from sqlalchemy import func, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from lab import Lab
from orders_service.catalog.product import Product, Reservation, Supply
from orders_service.database.columns import utc_now
from orders_service.events.brokers.kafka.cluster import KafkaBroker
from orders_service.events.brokers.port import BrokerError, Outgoing, Producer
from orders_service.orders.order import Order
from rig import history, waiting
from rig.customers import Customer, Customers, Habits
from rig.databases import Databases
from rig.deployment import PROCESSES, Deployment
from rig.promises import AGREE, History, violations
from rig.waiting import await_true
from tests.faults.proxy import Proxy

STOP_SECONDS = 10.0  # The longest time from SIGTERM to the end of a process.
REST_SECONDS = 60.0  # The longest time from the end of a fault until nothing changes any more.


class Stage:
    """A deployment on databases and topics of its own, and everything that was done to it."""

    def __init__(
        self, lab: Lab, folder: Path, chance: random.Random, *, reach: Callable[[str], str] | None = None
    ) -> None:
        """*reach* makes the processes' URL of a database; by default one through a proxy that can be cut."""
        self.lab = lab
        self.network = Proxy(lab.mariadb.ports[0])  # Between the processes and MariaDB.
        self.chance = chance
        self.databases = Databases.on(lab.mariadb, f"stage_{chance.randrange(16**8):08x}")
        self.databases.migrate()
        reach = reach or partial(_through, self.network)
        through = {name: reach(url) for name, url in self.databases.environment.items()}
        self.deployment = Deployment(lab, self.databases, folder, **through)
        self.told: list[Customer] = []
        self.poison: set[bytes] = set()  # Values that must become dead letters.
        self.reordered: set[str] = set()  # Orders whose events a test has put into another order.
        self.foreign: set[str] = set()  # Orders that a test sent as another order service does.
        self.sound = True  # False from the beginning of a test until it has passed.
        self.fault = ""
        self.again = 0  # How many records repeated an event, when it last came to rest.
        self.report: list[str] = []
        self._own: set[str] = set()  # The names of processes with settings of their own.
        self._numbers = itertools.count(1)

    @property
    def topics(self) -> tuple[str, str]:
        environment = self.deployment.environment
        return environment["CATALOG_TOPIC"], environment["STOCK_TOPIC"]

    def close(self) -> None:
        """End every process."""
        self.deployment.close()
        self.databases.dispose()
        self.network.close()

    def products(self, *stocks: int) -> list[str]:
        """New products, one for each of *stocks*; their ids."""
        names = [f"LAMP-{next(self._numbers)}" for _ in stocks]
        now = utc_now()
        with Session(self.databases.catalog) as session:
            for name, stock in zip(names, stocks, strict=True):
                session.add(
                    Product(product_id=name, product_name=name, stock=stock, unit_price=1, created_at=now)
                )
                session.add(Supply(product_id=name, qty=stock, note="opening", created_at=now))
            session.commit()
        return names

    @contextmanager
    def ordering(
        self, *, rate: float = 40, ports: Sequence[int] = (), cancels: float = 0.2, crowd: int = 6
    ) -> Iterator[Customers]:
        """Customers order while the block lasts: products that sell out, some that do not, one unknown."""
        products = [*self.products(30, 60, 100_000, 100_000), "NO-SUCH-PRODUCT"]
        urls = [f"http://127.0.0.1:{port}" for port in ports or [self.deployment.port]]
        habits = Habits(keys=0.8, repeats=0.2, cancels=cancels, qty=4)
        prices = dict.fromkeys(products, 1)
        customers = Customers(urls, prices, self.chance, rate=rate, crowd=crowd, habits=habits)
        try:
            with customers.ordering():
                customers.await_accepted(10)
                yield customers
        finally:
            self.told += customers.told

    def restart(self, *names: str, **environment: str) -> None:
        """Stop processes, and start them with settings of their own."""
        self.stop(*(name for name in names if name in self.deployment.processes))
        self.deployment.start(*names, **environment)
        self._own |= set(names)
        if any(name.startswith("api") for name in names):
            self.deployment.await_ready()

    def stop(self, *names: str) -> None:
        """Stop processes. Each must end in time, with exit code 0."""

        def stop(name: str) -> int:
            pid = self.deployment.processes[name].pid
            await_true(lambda: _catches(pid, signal.SIGTERM), f"{name} has started")
            return self.deployment.stop(name, seconds=STOP_SECONDS)

        with ThreadPoolExecutor(len(names) or 1) as pool:
            codes = dict(zip(names, pool.map(stop, names), strict=True))
        assert set(codes.values()) <= {0}, f"exit codes after SIGTERM: {codes}"
        self._own -= set(names)

    def replace_crashed(self, *names: str) -> None:
        """Wait until each process was killed at its crash point, and start another in its place."""
        missing = set(names)

        def all_crashed() -> bool:
            crashed = self.tend()
            self.deployment.start(*crashed)
            missing.difference_update(crashed)
            return not missing

        await_true(all_crashed, f"{', '.join(names)} come to their crash points")

    def follow_frozen(self, *names: str) -> None:
        """Wait until each process is frozen at its crash point, and start another, `name#2`, beside it."""
        for name in names:
            process = psutil.Process(self.deployment.processes[name].pid)
            await_true(lambda: process.status() == psutil.STATUS_STOPPED, f"{name} is frozen")  # noqa: B023
            self.deployment.start(f"{name}#2")

    def await_answer(self, *, seconds: float) -> None:
        """Wait until an order that is placed from now on is answered, and report how long that takes."""
        began, placed_at = time.monotonic(), utc_now()
        answered = select(func.count()).where(
            Order.created_at > placed_at, Order.status.in_(("CONFIRMED", "REJECTED"))
        )

        def is_answered() -> bool:
            with suppress(DBAPIError), Session(self.databases.orders) as session:
                return bool(session.scalar(answered))
            return False

        await_true(is_answered, "an order placed after the fault is answered", seconds=seconds)
        took = time.monotonic() - began
        self.report.append(f"{self.fault}: a new order is answered after {took:.1f} s")

    def thaw(self, *names: str) -> None:
        """Let frozen processes continue."""
        for name in names:
            self.deployment.signal(name, signal.SIGCONT)

    def await_members(self, group: str, count: int) -> None:
        """Wait until so many members share the partitions of a consumer group."""
        admin = kafka.KafkaAdminClient(bootstrap_servers=self.lab.kafka.bootstrap)

        def all_have_some() -> bool:
            members = history.until_answered(lambda: admin.describe_groups([group]))[group]["members"]
            return len(members) == count and all(has_partitions(member) for member in members)

        def has_partitions(member: Any) -> bool:
            return bool(member["member_assignment"] and member["member_assignment"]["assigned_partitions"])

        try:
            await_true(all_have_some, f"{count} members share the partitions of {group}")
        finally:
            admin.close()

    def send(self, records: Sequence[Outgoing]) -> None:
        """Send records to one topic, as any other producer could."""
        producer: Producer = KafkaBroker(self.lab.kafka.bootstrap).producer()
        deliveries = producer.send(records)
        assert producer.wait(deliveries, seconds=waiting.seconds(20))
        assert [d.error for d in deliveries if d.error] == []
        producer.close()

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A producer of another service, in a transaction that the block commits or aborts."""
        producer = kafka.KafkaProducer(
            bootstrap_servers=self.lab.kafka.bootstrap,
            transactional_id=f"another-{self.chance.randrange(16**8):08x}",
        )
        with closing(producer):
            producer.init_transactions()
            producer.begin_transaction()
            yield producer

    def settle(self, *, without: Collection[str] = (), seconds: float = REST_SECONDS) -> History:
        """Repair everything, wait until nothing changes any more, and judge the whole history."""
        self.heal()
        healed = time.monotonic()
        rested = waiting.wait(self._is_at_rest, seconds=seconds, pause=0.1)
        took = time.monotonic() - healed
        found = history.read(
            self.databases,
            self.lab.kafka.bootstrap,
            self.topics,
            told=self.told,
            poison=self.poison,
            reordered=self.reordered,
            foreign=self.foreign,
        )
        broken = violations(found, without=without)
        if not rested:
            broken.append(f"not at rest {seconds:.0f} s after the end of the fault")
        self.again = len(found.facts) - len({fact.id for fact in found.facts})
        self.report.append(
            f"{self.fault}: {len(found.orders)} orders, {len(found.facts)} records,"
            f" {self.again} of them again, at rest after {took:.1f} s"
        )
        running = self.deployment.processes.values()
        tails = "\n".join(f"--- {process.log}\n{process.tail}" for process in running) if broken else ""
        assert not broken, f"after {self.fault}:\n" + "\n".join(broken) + f"\n{tails}"
        self.sound = True
        return found

    def tend(self) -> list[str]:
        """Forget the processes that a crash point killed; their names. No process may end otherwise."""
        running = self.deployment.processes
        ended = {name: process for name, process in running.items() if process.exit_code is not None}
        for name, process in ended.items():
            del running[name]
            self._own.discard(name)
            code = process.exit_code
            assert code == -signal.SIGKILL, f"{name} ended by itself with {code}\n{process.tail}"
        return [*ended]

    def heal(self) -> None:
        """Thaw frozen processes, stop extra ones and those with settings of their own, start missing ones."""
        running = self.deployment.processes
        self.thaw(*running)
        self.tend()
        self.stop(*(name for name in running if name in self._own or name not in PROCESSES))
        self.deployment.start(*(name for name in PROCESSES if name not in running))
        self.deployment.await_ready()

    def _is_at_rest(self) -> bool:
        """Whether no event is on its way, checked in the order in which they pass, and all tables agree."""
        catalog, stock = self.topics
        return (
            history.pending(self.databases.orders) == 0
            and self._all_consumed("STOCK_GROUP", catalog)
            and history.pending(self.databases.catalog) == 0
            and self._all_consumed("STATUS_GROUP", stock)
            and self._all_agree()
        )

    def _all_consumed(self, group: str, topic: str) -> bool:
        broker = KafkaBroker(self.lab.kafka.bootstrap)
        try:
            return broker.describe_group(self.deployment.environment[group], [topic]).lag == 0
        except BrokerError:
            return False

    def _all_agree(self) -> bool:
        """Whether the status of each order agrees with its reservation."""
        with Session(self.databases.orders) as orders, Session(self.databases.catalog) as catalog:
            status = dict(orders.execute(select(Order.order_id, Order.status)).all())
            state = dict(catalog.execute(select(Reservation.order_id, Reservation.state)).all())
        return state.keys() >= self.foreign and all(
            state.get(id_) in AGREE.get(now, ()) for id_, now in status.items()
        )


def _catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process handles the signal. A process that does not has not opened anything yet."""
    # psutil does not read the mask of handled signals.
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def _through(proxy: Proxy, url: str) -> str:
    return make_url(url).set(port=proxy.port).render_as_string(hide_password=False)
