"""The laboratory: all its servers, started and stopped together."""

import fcntl
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Self, TextIO

from .accounts import password
from .connect import Connect
from .errors import UnknownServer
from .galera import Cluster
from .kafka import Kafka
from .mariadb import MariaDB
from .ports import HOST, Ports
from .private import opened, private
from .server import Server

HOME = Path(__file__).resolve().parent.parent / "var" / "lab"


class Lab:
    """Real servers in one folder. As a context manager, for tests, it starts and stops all of them."""

    def __init__(
        self,
        home: Path = HOME,
        ports: Ports | None = None,
        *,
        brokers: int | None = None,
        connect: bool = False,
        galera: bool = False,
        out: TextIO | None = None,
    ) -> None:
        """The folder remembers *brokers* (1 or 3), *connect* and *galera* until `reset`."""
        self.home = home.resolve()
        self._out = out or sys.stderr
        self.ports = ports = ports or Ports()
        self.kafka = Kafka(self.home, ports, brokers)
        self.cluster = Cluster(self.home, ports, wanted=galera)
        self.mariadb = self.cluster.proxy if self.cluster.exists else MariaDB(self.home, ports)
        self.connect = Connect(self.home, ports, self.kafka)
        self.standalone = self.home / "connect-standalone"
        self._with_connect = connect

    @property
    def has_connect(self) -> bool:
        """Whether Connect was asked for, or was started here since the last `reset`."""
        return self._with_connect or self.connect.folder.exists()

    @property
    def servers(self) -> list[Server]:
        return [*self.kafka.brokers, *self.databases, *([self.connect] if self.has_connect else [])]

    @property
    def databases(self) -> list[Server]:
        """MariaDB, or the cluster in its place."""
        return self.cluster.servers if self.cluster.exists else [self.mariadb]

    def named(self, name: str) -> list[Server]:
        """The servers that a name stands for: its own, or all of a cluster for `kafka` and `mariadb`."""
        every: dict[str, list[Server]] = {"kafka": [*self.kafka.brokers]}
        every |= {one.name: [one] for one in (*self.kafka.brokers, *self.databases, self.connect)}
        every["mariadb"] = self.databases
        if name not in every:
            raise UnknownServer(f"there is no {name} here; there are {', '.join(every)}")
        return every[name]

    def up(self) -> None:
        """Start the servers that are down, and wait until all answer."""
        self.start(self.servers)

    def start(self, servers: Sequence[Server]) -> None:
        with self._alone():
            for server in servers:
                server.fetch(self._out)
            self.kafka.note_size()
            self.cluster.prepare(servers)
            for several in self._stages(servers):
                _at_once(self._start, several)

    def stop(self, servers: Sequence[Server]) -> None:
        with self._alone():
            for several in reversed(self._stages(servers)):
                _at_once(Server.stop, several)

    def down(self) -> None:
        """Stop all servers, each with a grace period."""
        self.stop(self.servers)

    def reset(self) -> None:
        """Stop all servers and remove all data. Kafka's and MariaDB's data refer to each other."""
        self.down()
        with self._alone():
            _at_once(Server.wipe, self.servers)
            self.kafka.forget_size()
            self.cluster.forget()
            shutil.rmtree(self.standalone, ignore_errors=True)

    def environment(self, *, connect: bool = False) -> dict[str, str]:
        """The environment variables with which the service and its connectors find these servers.

        Those of Connect are among them if this lab has it, or if *connect* is set.
        """
        found = {
            "ORDERS_DATABASE_URL": self.mariadb.url("orders", user="orders"),
            "CATALOG_DATABASE_URL": self.mariadb.url("catalog", user="catalog"),
            "BROKER": "kafka",
            "KAFKA_BOOTSTRAP_SERVERS": self.kafka.bootstrap,
        }
        if self.kafka.count > 1:
            found |= {"TOPIC_REPLICATION": str(self.kafka.count), "TOPIC_MIN_INSYNC_REPLICAS": "2"}
        if connect or self.has_connect:
            found |= {
                "CONNECT_URL": self.connect.url,
                "MARIADB_HOST": HOST,
                "MARIADB_PORT": str(self.mariadb.ports[0]),
                "DBZ_PASSWORD": password("dbz"),
                "SINK_PASSWORD": password("sink"),
            }
        return found

    def __enter__(self) -> Self:
        self.down()  # Stops servers that an earlier run may have left here, perhaps on other ports.
        try:
            self.up()
        except BaseException:
            self.down()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.down()

    def _stages(self, servers: Sequence[Server]) -> list[list[Server]]:
        """The start order; stopping reverses it."""
        stages = sorted({server.stage for server in servers})
        return [[server for server in servers if server.stage == stage] for stage in stages]

    def _start(self, server: Server) -> None:
        began = time.monotonic()
        already = server.pid is not None
        server.start()
        how = "ran already" if already else f"answers after {time.monotonic() - began:.1f} s"
        self._out.write(f"{server.name}: {how}\n")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock of the lab's folder: two commands on one lab run one after the other."""
        with opened(private(self.home) / "lock") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _at_once(action: Callable[[Server], None], servers: Sequence[Server]) -> None:
    with ThreadPoolExecutor(max(1, len(servers))) as pool:
        list(pool.map(action, servers))
