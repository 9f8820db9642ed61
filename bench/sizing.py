"""Measures what an order costs each process and server: `python -m bench.sizing` writes it for `size`.

The processes run one after the other, on Kafka and on two MariaDB servers, one for each database: first the
API takes orders for some seconds, then each worker alone works off what waits for it. So the costs are those
of large batches, and the rate of a worker is the most that it can do.
"""

import json
import os
import platform
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

import click
import pymysql

from bench import wrk
from lab import Lab, Ports
from lab.database_server import DatabaseServer
from lab.mariadb import MariaDB
from orders_service.operations.sizing import MEASURED
from orders_service.processes import PROCESSES, WORKERS, Worker
from rig.databases import Databases
from rig.deployment import Deployment
from rig.processes import cpu
from rig.waiting import wait

CONNECTIONS = 64
# How many of {total} orders wait for each worker.
UNSENT = "SELECT COUNT(*) FROM {}_size.outbox WHERE published_at IS NULL"
LEFT = {
    "orders-relay": UNSENT.format("orders"),
    "stock-consumer": "SELECT {total} - COUNT(*) FROM catalog_size.outbox",
    "catalog-relay": UNSENT.format("catalog"),
    "status-consumer": "SELECT COUNT(*) FROM orders_size.orders WHERE status = 'PENDING'",
}
STATUS = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Bytes_received', 'Bytes_sent')"
Counters = dict[str, dict[str, float]]


class Scene:
    """The processes and servers, and everything that counts what they take."""

    def __init__(self, folder: Path, lab: Lab, second: MariaDB) -> None:
        self._lab = lab
        self._servers: dict[str, DatabaseServer] = {"orders": lab.mariadb, "catalog": second}
        self._connections: dict[str, pymysql.Connection[pymysql.cursors.Cursor]] = {}
        self._folders = {"orders": lab.mariadb.folder, "catalog": second.folder}
        orders, catalog = (server.create_database(f"{name}_size") for name, server in self._servers.items())
        self.databases = Databases(orders, catalog)
        self.databases.migrate()
        self.deployment = Deployment(lab, self.databases, folder, LOG_LEVEL="warning")
        self.deployment.run("topics", "create")
        self.say("catalog", "UPDATE catalog_size.catalog SET stock = 1000000000")

    def costs(self, seconds: int) -> Counters:
        """Measure an order's costs, with *seconds* of load on the API, and each process's orders a second."""
        before, files = self.orders(), self._bytes()
        found: Counters = {"cpu_ms": defaultdict(float), "rates": {}}
        with self._running("api"):
            self.deployment.await_ready()
            _load(self, 2)  # Its processes have loaded everything.
            self._measure("api", found, self.orders, lambda: _load(self, seconds))
        total = self.orders()
        for worker in WORKERS:
            self._measure_worker(worker, found, partial(self._done, worker, total), total)
        sizes = self._bytes()
        return found | {"bytes": {name: (sizes[name] - files[name]) / (total - before) for name in files}}

    def _measure_worker(self, worker: Worker, found: Counters, done: Callable[[], int], total: int) -> None:
        already = done()
        with self._running(worker.command):
            assert wait(lambda: done() > already, seconds=60), f"{worker.command} does nothing"
            self._measure(worker.command, found, done, partial(_await, done, total))

    @contextmanager
    def _running(self, process: str) -> Iterator[None]:
        self.deployment.start(process)
        yield
        self.deployment.stop(process)

    def _measure(
        self, name: str, found: Counters, done: Callable[[], int], work: Callable[[], object]
    ) -> None:
        """Add to *found* what each order costs that is *done* by a process while it does its *work*."""
        first, before, began = done(), self._cpu(name), time.monotonic()
        work()
        count, took = done() - first, time.monotonic() - began
        for part, milliseconds in self._cpu(name).items():
            found["cpu_ms"][part] += (milliseconds - before[part]) / count
        found["rates"][name] = count / took

    def open(self) -> None:
        """Start all processes."""
        self.deployment.start(*(process.command for process in PROCESSES))
        self.deployment.await_ready()

    def empty(self) -> None:
        """Remove every order."""
        self.say("orders", "TRUNCATE orders_size.orders")

    def await_answers(self) -> None:
        """Wait until no order is pending."""
        pending = "SELECT 1 FROM orders_size.orders WHERE status = 'PENDING' LIMIT 1"
        assert wait(lambda: not self.say("orders", pending), seconds=300, pause=0.1), "not all are answered"

    def orders(self) -> int:
        """How many orders there are."""
        ((count,),) = self.say("orders", "SELECT count(*) FROM orders_size.orders")
        return int(count)

    def _done(self, worker: Worker, total: int) -> int:
        """How many of the orders a worker has passed on."""
        ((left,),) = self.say(worker.database, LEFT[worker.command].format(total=total))
        return total - int(left)

    def _cpu(self, process: str) -> dict[str, float]:
        """Milliseconds of a core so far, of the process and of the servers."""
        pids = {f"MariaDB, {name}": server.pid for name, server in self._servers.items()}
        (broker,) = self._lab.kafka.brokers
        servers = {name: 1000 * cpu(pid) for name, pid in (pids | {"Kafka": broker.pid}).items() if pid}
        return servers | {process: 1000 * self.deployment.processes[process].cpu()}

    def close(self) -> None:
        self.deployment.close()
        self.databases.dispose()
        for connection in self._connections.values():
            connection.close()

    def _bytes(self) -> dict[str, float]:
        (broker,) = self._lab.kafka.brokers
        found = dict[str, float]()
        for name in self._servers:
            data = self._folders[name] / "data" / f"{name}_size"
            tables = {path.stem: path.stat().st_size for path in data.glob("*.ibd")}
            found[f"{name} outbox"] = tables.pop("outbox")
            found[f"{name} tables"] = sum(tables.values())
            found[f"{name} binlog"] = sum(int(row[1]) for row in self.say(name, "SHOW BINARY LOGS"))
            status = {row[0]: int(row[1]) for row in self.say(name, STATUS)}
            found[f"{name} network"] = status["Bytes_received"] + status["Bytes_sent"]
        settings = self.deployment.settings
        for topic in (settings.catalog_topic, settings.stock_topic):
            kind = "orders" if topic == settings.catalog_topic else "catalog"
            logs = broker.folder.glob(f"**/{topic}-*/*.log")
            found[f"{kind} records"] = sum(path.stat().st_size for path in logs)
        return found

    def say(self, name: str, statement: str) -> tuple[tuple[Any, ...], ...]:
        """Run a statement as root on the server of a database."""
        if name not in self._connections:  # One for each: a login costs as much as what is measured.
            self._connections[name] = self._servers[name].connect()
        with self._connections[name].cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall()


@contextmanager
def scene() -> Iterator[Scene]:
    """The scene on servers of its own, for as long as the block lasts."""
    with tempfile.TemporaryDirectory(prefix="sizing-") as name, Lab(Path(name) / "lab", Ports.free()) as lab:
        second = MariaDB(Path(name), Ports.free(), name="mariadb-catalog")
        try:
            second.start()
            with closing(Scene(Path(name), lab, second)) as found:
                yield found
        finally:
            second.stop()


def _await(done: Callable[[], int], total: int) -> None:
    assert wait(lambda: done() == total, seconds=300, pause=0.2), f"only {done()} of {total} in 300 s"


def _load(on: Scene, seconds: int) -> None:
    done = wrk.load(on.deployment.url, "post.lua", connections=CONNECTIONS, seconds=seconds)
    assert not done.failed, f"{done.failed} requests failed"


def averages(rounds: list[Counters]) -> Counters:
    """The median of each number; of bytes the mean, because files grow in large steps."""
    return {
        kind: {
            name: (fmean if kind == "bytes" else median)([one[kind][name] for one in rounds])
            for name in values
        }
        for kind, values in rounds[0].items()
    }


def about(rounds: int, seconds: int) -> dict[str, str]:
    """Describe the measurement: its date, its machine and its rounds."""
    (model, *_) = (
        line.partition(": ")[2]
        for line in Path("/proc/cpuinfo").read_text().split("\n")
        if "model name" in line
    )
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "processor": f"{os.cpu_count()} cores of {model.strip()}",
        "python": platform.python_version(),
        "rounds": f"{rounds}, each with {seconds} s of POST on {CONNECTIONS} connections",
    }


@click.command()
@click.option("--rounds", default=3, show_default=True, help="How many times it is measured.")
@click.option("--seconds", default=20, show_default=True, help="How long a load lasts.")
@click.option("--out", default=MEASURED, type=click.Path(path_type=Path), show_default=True)
def main(rounds: int, seconds: int, out: Path) -> None:
    """Measure what an order costs, and write it for `orders-service size`."""
    if not wrk.is_installed():
        raise click.ClickException("bench.sizing needs wrk: apt-get install wrk, or brew install wrk")
    with scene() as on:
        found = averages([on.costs(seconds) for _ in range(rounds)])
    written = {"about": about(rounds, seconds)} | {
        kind: {name: float(f"{value:.3g}") for name, value in values.items()}
        for kind, values in found.items()
    }
    out.write_text(json.dumps(written, indent=2) + "\n")
    click.echo(out.read_text())


if __name__ == "__main__":
    main()
