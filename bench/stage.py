"""The servers of a lab with the service's tables, and what is measured on them."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import pymysql

from bench.processes import Process, cpu
from lab import Lab, Ports
from orders_service import migrations, resources
from orders_service.database.engines import open_engine
from orders_service.processes import DatabaseName
from orders_service.settings import Settings

EMPTIED = {
    "orders": ("orders", "outbox", "leases"),
    "catalog": ("reservations", "outbox", "leases", "dead_letters"),
}


@dataclass
class Stage:
    """One lab for everything that is compared."""

    lab: Lab
    folder: Path
    environment: dict[str, str]
    processes: dict[str, Process] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return Settings.read(self.environment)

    def run(self, name: str, command: Sequence[str], **settings: str) -> Process:
        """A process of this stage. It is not started yet."""
        process = Process(name, command, self.environment | settings, self.folder / f"{name}.log")
        self.processes[name] = process
        return process

    def serve(self, name: str, command: Sequence[str], **settings: str) -> tuple[Process, str]:
        """A process that has been started and listens; `{port}` in the command is its port. Its URL too."""
        port = Ports.free().connect
        told = [word.format(port=port) for word in command]
        process = self.run(name, told, API_PORT=str(port), **settings)
        process.start(lambda: _listens(port))
        return process, f"http://127.0.0.1:{port}"

    def word(self, *words: str, **settings: str) -> None:
        """Run a word to its end."""
        environment = os.environ | self.environment | settings
        subprocess.run(ours(*words), env=environment, check=True, capture_output=True, timeout=60)

    def empty(self) -> None:
        """Forget every order; the products have plenty in stock."""
        for database, tables in EMPTIED.items():
            for table in tables:
                self.sql(f"TRUNCATE {database}.{table}")
        self.sql("UPDATE catalog.catalog SET stock = 1000000000")

    def orders_database(self, name: str) -> str:
        """One more database for orders; its URL."""
        url = self.lab.mariadb.create_database(name)
        _migrate(url, "orders")
        return url

    def fill_orders(self, rows: int, *, each: int, database: str) -> None:
        """So many orders, of customers who have *each* so many of them."""
        self.sql(
            f"INSERT INTO {database}.orders (product_id, qty, unit_price, total_price, user_id, order_id,"
            " created_at, status, version, updated_at) SELECT 'CATALOG-001', 1, 1500, 1500,"
            f" CONCAT('user-', seq % {rows // each}), UUID(), NOW(6), 'CONFIRMED', 2, NOW(6)"
            f" FROM {database}.seq_1_to_{rows}"
        )
        self.sql(f"ANALYZE TABLE {database}.orders")

    def fill_outbox(self, rows: int, *, topic: str = "", days: int = 0) -> None:
        """So many events that wait for the relay, recorded so many *days* ago."""
        topic = topic or self.settings.catalog_topic
        self.sql(
            "INSERT INTO orders.outbox (id, specversion, source, type, aggregatetype, aggregateid, time,"
            " topic, `key`, payload, created_at, lane) SELECT UUID(), '1.0', '/order-service',"
            f" 'order.placed.v1', 'order', CONCAT('order-', seq), '2026-11-24T07:06:15.292000Z', '{topic}',"
            " CONCAT('CATALOG-', LPAD(seq % 100, 3, '0')),"
            """ CONCAT('{"productId":"CATALOG-001","qty":1,"unitPrice":1500,"totalPrice":1500,"orderId":"',"""
            f""" 'order-', seq, '","userId":"user-1"}}'), NOW(6) - INTERVAL {days} DAY, '{topic}'"""
            f" FROM orders.seq_1_to_{rows}"
        )

    @cached_property
    def _root(self) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        return self.lab.mariadb.connect()

    def sql(self, statement: str) -> tuple[tuple[object, ...], ...]:
        """Ask the server as its root; on one connection, for a login costs as much as what is measured."""
        with self._root.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()

    def database_cpu(self) -> float:
        """Seconds of processor time of MariaDB until now."""
        assert self.lab.mariadb.pid is not None
        return cpu(self.lab.mariadb.pid)

    def commits(self) -> int:
        """How many transactions MariaDB has committed until now."""
        ((_, count),) = self.sql("SHOW GLOBAL STATUS LIKE 'Com_commit'")
        return int(str(count))

    def close(self) -> None:
        """End what was started here."""
        for process in self.processes.values():
            process.stop()
        if "_root" in vars(self):
            self._root.close()


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """A lab with one broker and migrated databases, for as long as it is needed."""
    with Lab(folder / "lab", Ports.free(), brokers=1) as lab:
        environment = lab.environment() | {"STATE_DIR": str(folder / "state"), "LOG_LEVEL": "warning"}
        found = Stage(lab, folder, environment)
        for name, url in resources.urls(found.settings).items():
            _migrate(url, name)
        found.word("topics", "create")
        try:
            yield found
        finally:
            found.close()


def _migrate(url: str, name: DatabaseName) -> None:
    engine = open_engine(url, create=True)
    migrations.upgrade(engine, name)
    engine.dispose()


def ours(*words: str) -> list[str]:
    """The command of one of the service's words."""
    return [sys.executable, "-m", "orders_service", *words]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def percentile(values: Sequence[float], part: int) -> float:
    """The value that *part* of a hundred do not exceed."""
    return sorted(values)[min(len(values) - 1, len(values) * part // 100)]
