"""A deployment under load: a fault happens to it, then it must come to rest and keep its promises."""

import itertools
import random
import signal
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import kafka
from sqlalchemy import func, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from lab import Lab
from orders_service.catalog.product import Product, Reservation, Supply
from orders_service.database.columns import utc_now
from orders_service.events.brokers.kafka.cluster import KafkaBroker
from orders_service.events.brokers.port import BrokerError, Outgoing, Producer
from orders_service.events.tables import DeadLetter, OutboxRow
from orders_service.orders.order import Order
from tests import patience
from tests.databases import Databases
from tests.deployment import PROCESSES, Deployment
from tests.faults import history
from tests.faults.customers import Customer, Customers
from tests.faults.proxy import Proxy
from tests.patience import await_true

STOP_SECONDS = 10.0  # What a process may take to end after SIGTERM.
REST_SECONDS = 60.0  # What the whole may take to come to rest after a fault.
TAIL = 1500


class Stage:
    """The five processes on databases and topics of their own, and what they were put through."""

    def __init__(self, lab: Lab, folder: Path, chance: random.Random) -> None:
        self.lab = lab
        self.network = Proxy(lab.mariadb.ports[0])  # Between the processes and MariaDB.
        self.chance = chance
        self.folder = folder
        name = f"stage_{chance.randrange(16**8):08x}"
        self.databases = Databases(
            lab.mariadb.create_database(f"{name}_orders"), lab.mariadb.create_database(f"{name}_catalog")
        )
        self.databases.migrate()
        through = {name: _through(self.network, url) for name, url in self.databases.environment.items()}
        self.deployment = Deployment(lab, self.databases, folder, **through)
        self.told: list[Customer] = []
        self.poison: set[bytes] = set()  # Values that must become dead letters.
        self.reordered: set[str] = set()  # Orders whose events we mixed up ourselves.
        self.foreign: set[str] = set()  # Orders that we sent as another order service does.
        self.sound = True  # Until a test has begun, and again when it ended well.
        self.fault = ""
        self.again = 0  # Records that were not the first of their event, when it last came to rest.
        self.report: list[str] = []
        self._own: set[str] = set()  # Processes with settings of their own.
        self._numbers = itertools.count(1)

    @property
    def topics(self) -> tuple[str, str]:
        environment = self.deployment.environment
        return environment["CATALOG_TOPIC"], environment["STOCK_TOPIC"]

    def open(self) -> None:
        """Have topics, and every process ready."""
        self.deployment.run("topics", "create")
        self.deployment.start(*PROCESSES)
        self.deployment.await_ready()

    def close(self) -> None:
        """End what runs."""
        self.deployment.close()
        self.databases.dispose()
        self.network.close()

    def products(self, *stocks: int) -> list[str]:
        """New products with so many pieces each."""
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
        customers = Customers(
            ports or [self.deployment.port], products, self.chance, rate=rate, cancels=cancels, crowd=crowd
        )
        try:
            with customers.ordering():
                self.await_accepted(customers, 10)
                yield customers
        finally:
            self.told += customers.told

    def await_accepted(self, customers: Customers, more: int, *, seconds: float = 30) -> None:
        """Wait until so many more orders are accepted."""
        wanted = customers.accepted + more
        await_true(
            lambda: customers.accepted >= wanted,
            f"{more} more orders are accepted",
            seconds=seconds,
            log=self.deployment.log("api"),
        )

    def restart(self, *words: str, **environment: str) -> None:
        """Stop processes as they should be stopped, and start them with settings of their own."""
        self.stop(*(word for word in words if word in self.deployment.processes))
        self.deployment.start(*words, **environment)
        self._own |= set(words)
        if any(word.startswith("api") for word in words):
            self.deployment.await_ready()

    def stop(self, *words: str) -> None:
        """Stop processes as they should be stopped, which they must be in time."""

        def stop(word: str) -> int:
            pid = self.deployment.processes[word].pid
            await_true(lambda: _catches(pid, signal.SIGTERM), f"{word} has started")
            return self.deployment.stop(word, seconds=STOP_SECONDS)

        with ThreadPoolExecutor(len(words) or 1) as pool:
            codes = dict(zip(words, pool.map(stop, words), strict=True))
        assert set(codes.values()) <= {0}, f"told to stop, they exited with {codes}"
        self._own -= set(words)

    def replace_crashed(self, *words: str, seconds: float = 30) -> None:
        """Wait until each was killed at the point for which it was armed, and start another in its place."""
        waiting = set(words)

        def all_crashed() -> bool:
            crashed = self.tend()
            self.deployment.start(*crashed)
            waiting.difference_update(crashed)
            return not waiting

        await_true(all_crashed, f"{', '.join(words)} come to the point where they die", seconds=seconds)

    def follow_frozen(self, *words: str, seconds: float = 30) -> None:
        """Wait until each is frozen at its point, and start a second one (`word#2`) beside it."""
        waiting = set(words)

        def all_frozen() -> bool:
            for word in [*waiting]:
                if _state(self.deployment.processes[word].pid) == "T":
                    self.deployment.start(f"{word}#2")
                    waiting.discard(word)
            return not waiting

        await_true(all_frozen, f"{', '.join(words)} come to the point where they freeze", seconds=seconds)

    def await_answer(self, *, seconds: float) -> None:
        """Wait until an order placed from now on is answered, and report how long that took."""
        began = time.monotonic()
        with Session(self.databases.orders) as session:
            last = session.scalar(select(func.max(Order.id))) or 0
        answered = select(func.count()).where(Order.id > last, Order.status.in_(("CONFIRMED", "REJECTED")))

        def is_answered() -> bool:
            with Session(self.databases.orders) as session:
                return bool(session.scalar(answered))

        await_true(is_answered, "an order placed after the fault is answered", seconds=seconds)
        took = time.monotonic() - began
        self.report.append(f"{self.fault}: a new order is answered after {took:.1f} s")

    def thaw(self, *words: str) -> None:
        """Let frozen processes go on."""
        for word in words:
            self.deployment.signal(word, signal.SIGCONT)

    def await_members(self, group: str, count: int) -> None:
        """Wait until so many share the group's partitions."""
        admin = kafka.KafkaAdminClient(bootstrap_servers=self.lab.kafka.bootstrap)

        def all_have_some() -> bool:
            members = admin.describe_groups([group])[group]["members"]
            return len(members) == count and all(has_partitions(member) for member in members)

        def has_partitions(member: Any) -> bool:
            return bool(member["member_assignment"] and member["member_assignment"]["assigned_partitions"])

        try:
            await_true(all_have_some, f"{count} members share the partitions of {group}")
        finally:
            admin.close()

    def dead_letters(self) -> list[bytes]:
        """The values of those that there are."""
        found: list[bytes] = []
        for engine in self.databases.engines.values():
            with Session(engine) as session:
                found += [bytes(value or b"") for value in session.scalars(select(DeadLetter.value))]
        return found

    def send(self, records: Sequence[Outgoing]) -> None:
        """Put records of one topic into the log, as any other producer could."""
        producer: Producer = KafkaBroker(self.lab.kafka.bootstrap).producer()
        deliveries = producer.send(records)
        assert producer.wait(deliveries, seconds=patience.seconds(20))
        assert [d.error for d in deliveries if d.error] == []
        producer.close()

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        """A producer of another service, in a transaction that the block ends."""
        producer = kafka.KafkaProducer(
            bootstrap_servers=self.lab.kafka.bootstrap,
            transactional_id=f"another-{self.chance.randrange(16**8):08x}",
        )
        with closing(producer):
            producer.init_transactions()
            producer.begin_transaction()
            yield producer

    def settle(self, *, without: Collection[str] = (), seconds: float = REST_SECONDS) -> history.History:
        """Heal everything, wait until nothing moves any more, and judge the whole history."""
        self.heal()
        healed = time.monotonic()
        rested = self._await_rest(seconds)
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
        broken = history.violations(found, without=without)
        if not rested:
            broken.append(f"not at rest {seconds:.0f} s after the fault was over")
        self.again = len(found.facts) - len({fact.id for fact in found.facts})
        self.report.append(
            f"{self.fault}: {len(found.orders)} orders, {len(found.facts)} records,"
            f" {self.again} of them again, at rest after {took:.1f} s"
        )
        tails = "\n".join(self._tail(word) for word in PROCESSES) if broken else ""
        assert not broken, f"after {self.fault}:\n" + "\n".join(broken) + f"\n{tails}"
        self.sound = True
        return found

    def tend(self) -> list[str]:
        """Forget those that were killed at a point; their names. Nobody may end in another way."""
        running = self.deployment.processes
        ended = [(word, code) for word in running if (code := running[word].poll()) is not None]
        for word, code in ended:
            del running[word]
            self._own.discard(word)
            assert code == -signal.SIGKILL, f"{word} ended by itself with {code}\n{self._tail(word)}"
        return [word for word, _ in ended]

    def heal(self) -> None:
        """Thaw what is frozen, stop what is too much or has settings of its own, start what is missing."""
        running = self.deployment.processes
        for word in running:
            self.thaw(word)
        self.tend()
        self.stop(*(word for word in running if word in self._own or word not in PROCESSES))
        self.deployment.start(*(word for word in PROCESSES if word not in running))
        self.deployment.await_ready()

    def _await_rest(self, seconds: float) -> bool:
        deadline = patience.Deadline(seconds)
        while not self._is_at_rest():
            if deadline.over:
                return False
            time.sleep(0.1)
        return True

    def _is_at_rest(self) -> bool:
        """Nothing is on its way, looked at in the way that an order takes, and all tables agree."""
        catalog, stock = self.topics
        return (
            self._all_sent("orders")
            and self._all_consumed("STOCK_GROUP", catalog)
            and self._all_sent("catalog")
            and self._all_consumed("STATUS_GROUP", stock)
            and self._all_agree()
        )

    def _all_sent(self, database: str) -> bool:
        with Session(self.databases.engines[database]) as session:
            return not session.scalar(select(func.count()).where(OutboxRow.lane.is_not(None)))

    def _all_consumed(self, group: str, topic: str) -> bool:
        broker = KafkaBroker(self.lab.kafka.bootstrap)
        try:
            return broker.describe_group(self.deployment.environment[group], [topic]).lag == 0
        except BrokerError:
            return False

    def _all_agree(self) -> bool:
        """Each order is answered as it was decided."""
        with Session(self.databases.orders) as orders, Session(self.databases.catalog) as catalog:
            status = dict(orders.execute(select(Order.order_id, Order.status)).all())
            state = dict(catalog.execute(select(Reservation.order_id, Reservation.state)).all())
        return state.keys() >= self.foreign and all(
            state.get(id_) in history.AGREE.get(now, ()) for id_, now in status.items()
        )

    def _tail(self, word: str) -> str:
        log = self.deployment.log(word)
        return f"--- {word}: {log}\n{log.read_text()[-TAIL:] if log.exists() else ''}"


def _state(pid: int) -> str:
    """`T` for a process that is frozen."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def _catches(pid: int, number: signal.Signals) -> bool:
    """Whether the process has a handler for the signal: before it has, it holds nothing to let go."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return bool(int(caught.split()[1], 16) >> (number - 1) & 1)


def _through(proxy: Proxy, url: str) -> str:
    return make_url(url).set(port=proxy.port).render_as_string(hide_password=False)
