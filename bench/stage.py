"""The servers of a lab with the service's tables, and what is measured on them."""

import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.processes import Process, cpu
from lab import Lab, Ports
from orders_service import migrations, wiring
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

    def empty(self) -> None:
        """Forget every order; the products have plenty in stock."""
        with self.lab.mariadb.connect() as connection, connection.cursor() as cursor:
            for database, tables in EMPTIED.items():
                for table in tables:
                    cursor.execute(f"TRUNCATE {database}.{table}")
            cursor.execute("UPDATE catalog.catalog SET stock = 1000000000")

    def sql(self, statement: str) -> tuple[tuple[object, ...], ...]:
        """Ask the server as its root."""
        with self.lab.mariadb.connect() as connection, connection.cursor() as cursor:
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


@contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """A lab with one broker and migrated databases, for as long as it is needed."""
    with Lab(folder / "lab", Ports.free(), brokers=1) as lab:
        environment = lab.environment() | {"STATE_DIR": str(folder / "state"), "LOG_LEVEL": "warning"}
        found = Stage(lab, folder, environment)
        for name, url in wiring.urls(found.settings).items():
            engine = wiring.engine(url)
            migrations.upgrade(engine, name)
            engine.dispose()
        process = found.run("topics", ours("topics", "create"))
        process.start()
        assert process.handle is not None
        process.handle.wait(60)
        try:
            yield found
        finally:
            found.close()


def ours(*words: str) -> list[str]:
    """The command of one of the service's words."""
    return [sys.executable, "-m", "orders_service", *words]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
