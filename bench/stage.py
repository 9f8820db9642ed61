"""The servers of a lab with the service's tables, and the processes that are measured on them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pymysql

from lab import Lab, Ports
from lab.ports import is_free
from orders_service import migrations
from orders_service.database.engines import open_engine
from orders_service.settings import Settings
from rig.databases import Databases
from rig.processes import Process, cpu, ended
from rig.waiting import await_true

EMPTIED = {
    "orders": ("orders", "outbox", "leases"),
    "catalog": ("reservations", "outbox", "leases", "dead_letters"),
}


# One event in a hundred is of a traced request.
_TRACEPARENT = (
    "IF(seq % 100, NULL, LOWER(CONCAT('00-', LPAD(HEX(seq), 32, '0'), '-', LPAD(HEX(seq), 16, '0'), '-01')))"
)


@dataclass
class Stage:
    """One lab for everything that is compared."""

    lab: Lab
    folder: Path
    databases: Databases
    environment: dict[str, str]
    processes: list[Process] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        return Settings.read(self.environment)

    def add(self, name: str, command: Sequence[str], **settings: str) -> Process:
        """A new process with these settings. It is not started yet."""
        process = Process(name, command, self.environment | settings, self.folder / f"{name}.log")
        self.processes.append(process)
        return process

    def serve(self, name: str, command: Sequence[str], **settings: str) -> tuple[Process, str]:
        """Start a process and wait until it listens; its URL, too. `{port}` in the command is its port."""
        port = Ports.free().connect
        command = [argument.format(port=port) for argument in command]
        process = self.add(name, command, API_PORT=str(port), **settings)
        process.start(lambda: not is_free(port))
        return process, f"http://127.0.0.1:{port}"

    def run(self, *words: str, **settings: str) -> None:
        """Run a command of the service that ends by itself."""
        ended(*words, **self.environment | settings).check_returncode()

    def empty(self) -> None:
        """Remove every order. The products have plenty in stock."""
        for database, tables in EMPTIED.items():
            for table in tables:
                self.sql(f"TRUNCATE {database}.{table}")
        self.sql("UPDATE catalog.catalog SET stock = 1000000000")

    def orders_database(self, name: str) -> str:
        """Create another database for orders; its URL."""
        url = self.lab.mariadb.create_database(name)
        engine = open_engine(url, create=True)
        migrations.upgrade(engine, "orders")
        engine.dispose()
        return url

    def fill_orders(self, rows: int, *, each: int, database: str) -> None:
        """Insert orders. Each customer has *each* of them."""
        self.sql(
            f"INSERT INTO {database}.orders (product_id, qty, unit_price, total_price, user_id, order_id,"
            " created_at, status, version, updated_at) SELECT 'CATALOG-001', 1, 1500, 1500,"
            f" CONCAT('user-', seq % {rows // each}), UUID(), NOW(6), 'CONFIRMED', 2, NOW(6)"
            f" FROM {database}.seq_1_to_{rows}"
        )
        self.sql(f"ANALYZE TABLE {database}.orders")

    def fill_outbox(self, rows: int, *, topic: str = "", days: int = 0) -> None:
        """Insert events that wait for the relay, recorded *days* ago."""
        topic = topic or self.settings.catalog_topic
        self.sql(
            "INSERT INTO orders.outbox (id, specversion, source, type, aggregatetype, aggregateid, time,"
            " topic, `key`, payload, traceparent, created_at, lane) SELECT UUID(), '1.0', '/order-service',"
            f" 'order.placed.v1', 'order', CONCAT('order-', seq), '2026-11-24T07:06:15.292000Z', '{topic}',"
            " CONCAT('CATALOG-', LPAD(seq % 100, 3, '0')),"
            """ CONCAT('{"productId":"CATALOG-001","qty":1,"unitPrice":1500,"totalPrice":1500,"orderId":"',"""
            f""" 'order-', seq, '","userId":"user-1"}}'), {_TRACEPARENT},"""
            f" NOW(6) - INTERVAL {days} DAY, '{topic}'"
            f" FROM orders.seq_1_to_{rows}"
        )

    @cached_property
    def _root(self) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        return self.lab.mariadb.connect()

    def sql(self, statement: str) -> tuple[tuple[object, ...], ...]:
        """Run a statement as root, on one connection: a login costs as much as what is measured."""
        with self._root.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def number(self, query: str) -> int:
        """The result of a query that gives one number."""
        ((value,),) = self.sql(query)
        return int(str(value))

    def database_cpu(self) -> float:
        """Seconds of CPU time of MariaDB so far."""
        assert self.lab.mariadb.pid is not None
        return cpu(self.lab.mariadb.pid)

    def commits(self) -> int:
        """How many transactions MariaDB has committed so far."""
        ((_, count),) = self.sql("SHOW GLOBAL STATUS LIKE 'Com_commit'")
        return int(str(count))

    def close(self) -> None:
        """End every process."""
        for process in self.processes:
            process.end()
        if "_root" in vars(self):
            self._root.close()


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """A lab with one broker and migrated databases, for as long as the block lasts."""
    with Lab(folder / "lab", Ports.free(), brokers=1) as lab:
        environment = lab.environment() | {"STATE_DIR": str(folder / "state"), "LOG_LEVEL": "warning"}
        databases = Databases(environment["ORDERS_DATABASE_URL"], environment["CATALOG_DATABASE_URL"])
        databases.migrate()
        found = Stage(lab, folder, databases, environment)
        found.run("topics", "create")
        try:
            yield found
        finally:
            found.close()
            databases.dispose()


def percentile(values: Sequence[float], part: int) -> float:
    """The value that *part* percent of the values do not exceed."""
    return sorted(values)[min(len(values) - 1, len(values) * part // 100)]


def throughput(process: Process, done: Callable[[], int], *, total: int, seconds: float) -> dict[str, float]:
    """Measure the rate of *done* from its first change until *total* or, at most, for *seconds*."""
    await_true(lambda: done() > 0, f"{process.name} has begun")
    first, cpu, began = done(), process.cpu(), time.monotonic()
    while (count := done()) < total and time.monotonic() - began < seconds:
        time.sleep(0.02)
    cpu, took = process.cpu() - cpu, time.monotonic() - began
    return {"rate": (count - first) / took, "cpu_ms": cpu / (count - first) * 1000}
