"""A deployment under load: a fault happens to it, then it must come to rest and keep its promises."""

import itertools
import random
import signal
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import func, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session

from lab import Lab
from orders_service.catalog.product import Product, Reservation, Supply
from orders_service.database import utc_now
from orders_service.events.broker import Outgoing, Producer
from orders_service.events.kafka import KafkaBroker
from orders_service.events.tables import DeadLetter, OutboxRow
from orders_service.orders.order import Order
from tests.databases import Databases
from tests.deployment import PROCESSES, Deployment, await_true
from tests.faults import history
from tests.faults.customers import Customer, Customers

STOP_SECONDS = 10.0  # What a process may take to end after SIGTERM.
REST_SECONDS = 60.0  # What the whole may take to come to rest after a fault.
TAIL = 1500


class Stage:
    """The five processes on databases and topics of their own, and what they were put through."""

    def __init__(self, lab: Lab, folder: Path, chance: random.Random) -> None:
        self.lab = lab
        self.chance = chance
        self.folder = folder
        name = f"stage_{chance.randrange(16**8):08x}"
        self.databases = Databases(
            lab.mariadb.create_database(f"{name}_orders"), lab.mariadb.create_database(f"{name}_catalog")
        )
        self.databases.migrate()
        self.deployment = Deployment(lab, self.databases, folder)
        self.told: list[Customer] = []
        self.poison: set[bytes] = set()
        self.sound = True  # Until a test has begun, and again when it ended well.
        self.fault = ""
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

    def products(self, *stocks: int) -> list[str]:
        """New products with so many pieces each."""
        names = [f"LAMP-{next(self._numbers)}" for _ in stocks]
        now = utc_now()
        with Session(self.databases.catalog) as session:
            for name, stock in zip(names, stocks, strict=True):
                session.execute(
                    insert(Product).values(
                        product_id=name, product_name=name, stock=stock, unit_price=1, created_at=now
                    )
                )
                session.execute(
                    insert(Supply).values(product_id=name, qty=stock, note="opening", created_at=now)
                )
            session.commit()
        return names

    @contextmanager
    def ordering(
        self, *, rate: float = 40, ports: Sequence[int] = (), cancels: float = 0.2
    ) -> Iterator[Customers]:
        """Customers order while the block lasts: products that sell out, some that do not, one unknown."""
        products = [*self.products(30, 60, 100_000, 100_000), "NO-SUCH-PRODUCT"]
        customers = Customers(
            ports or [self.deployment.port], products, self.chance, rate=rate, cancels=cancels
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
        self._stop([word for word in words if word in self.deployment.processes])
        self.deployment.start(*words, **environment)
        self._own |= set(words)
        if any(word.startswith("api") for word in words):
            self.deployment.await_ready()

    def replace_crashed(self, *words: str, seconds: float = 30) -> None:
        """Wait until each was killed at the point for which it was armed, and start another in its place."""
        waiting = set(words)

        def all_crashed() -> bool:
            for word in [*waiting]:
                code = self.deployment.processes[word].poll()
                if code is not None:
                    assert code == -signal.SIGKILL, f"{word} ended with {code}\n{self._tail(word)}"
                    self.deployment.start(word)
                    waiting.discard(word)
                    self._own.discard(word)
            return not waiting

        await_true(all_crashed, f"{', '.join(words)} come to the point where they die", seconds=seconds)

    def await_frozen(self, *words: str, seconds: float = 30) -> None:
        """Wait until each is stopped."""
        for word in words:
            pid = self.deployment.processes[word].pid
            await_true(lambda pid=pid: _state(pid) == "T", f"{word} is frozen", seconds=seconds)  # type: ignore[misc]

    def thaw(self, *words: str) -> None:
        """Let frozen processes go on."""
        for word in words:
            self.deployment.signal(word, signal.SIGCONT)

    def count(self, database: str, table: type[Order | Reservation | OutboxRow | DeadLetter]) -> int:
        with Session(self.databases.engines[database]) as session:
            return session.scalar(select(func.count()).select_from(table)) or 0

    def send(self, records: Sequence[Outgoing]) -> None:
        """Put records of one topic into the log, as any other producer could."""
        producer: Producer = KafkaBroker(self.lab.kafka.bootstrap).producer()
        deliveries = producer.send(records)
        assert producer.wait(deliveries, seconds=20)
        assert [d.error for d in deliveries if d.error] == []
        producer.close()

    def proxied(self, database: str, port: int) -> dict[str, str]:
        """The setting by which a process reaches a database through a proxy."""
        url = make_url(self.deployment.environment[f"{database.upper()}_DATABASE_URL"])
        return {f"{database.upper()}_DATABASE_URL": url.set(port=port).render_as_string(hide_password=False)}

    def settle(self, *, without: Collection[str] = (), seconds: float = REST_SECONDS) -> history.History:
        """Heal everything, wait until nothing moves any more, and judge the whole history."""
        self.heal()
        healed = time.monotonic()
        rested = self._await_rest(seconds)
        took = time.monotonic() - healed
        found = history.read(self.databases, self.lab.kafka.bootstrap, self.topics, self.told, self.poison)
        broken = history.violations(found, without=without)
        if not rested:
            broken.append(f"not at rest {seconds:.0f} s after the fault was over")
        again = len(found.facts) - len({fact.id for fact in found.facts})
        self.report.append(
            f"{self.fault}: {len(found.orders)} orders, {len(found.facts)} records, {again} of them again,"
            f" at rest after {took:.1f} s"
        )
        tails = "\n".join(self._tail(word) for word in PROCESSES) if broken else ""
        assert not broken, f"after {self.fault}:\n" + "\n".join(broken) + f"\n{tails}"
        self.sound = True
        return found

    def heal(self) -> None:
        """Thaw what is frozen, stop what is too much or has settings of its own, start what is missing."""
        running = self.deployment.processes
        for word in [*running]:
            self.thaw(word)
            code = running[word].poll()
            if code is not None:
                del running[word]
                self._own.discard(word)
                assert code == -signal.SIGKILL, f"{word} ended by itself with {code}\n{self._tail(word)}"
        self._stop([word for word in running if word in self._own or word not in PROCESSES])
        self._own.clear()
        self.deployment.start(*(word for word in PROCESSES if word not in running))
        self.deployment.await_ready()

    def _stop(self, words: Sequence[str]) -> None:
        def stop(word: str) -> int:
            return self.deployment.stop(word, seconds=STOP_SECONDS)

        if words:
            with ThreadPoolExecutor(len(words)) as pool:
                codes = dict(zip(words, pool.map(stop, words), strict=True))
            assert set(codes.values()) == {0}, f"told to stop, they exited with {codes}"

    def _await_rest(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not self._is_at_rest():
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        return True

    def _is_at_rest(self) -> bool:
        """Nothing is pending, and orders and reservations agree."""
        pending = select(func.count()).where(OutboxRow.lane.is_not(None))
        with Session(self.databases.orders) as orders, Session(self.databases.catalog) as catalog:
            if orders.scalar(pending) or catalog.scalar(pending):
                return False
            status = dict(orders.execute(select(Order.order_id, Order.status)).all())
            state = dict(catalog.execute(select(Reservation.order_id, Reservation.state)).all())
        return all(state.get(id_) in history.AGREE.get(now, ()) for id_, now in status.items())

    def _tail(self, word: str) -> str:
        log = self.deployment.log(word)
        return f"--- {word}: {log}\n{log.read_text()[-TAIL:] if log.exists() else ''}"


def _state(pid: int) -> str:
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0]
