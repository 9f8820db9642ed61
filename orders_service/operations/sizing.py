"""Calculates the processes, cells, brokers, disk and network that a number of orders a second needs.

The sums multiply the rate by what one order costs, as `python -m bench.sizing` measured it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, floor
from pathlib import Path

from orders_service.processes import (
    CONSUMERS,
    DATABASES,
    PROCESSES,
    WORKERS,
    DatabaseName,
    Process,
    Relay,
    worker,
)

MEASURED = Path(__file__).with_name("measured.json")
DAY = 86_400  # Seconds.
BROKERS = 3  # The fewest that survive the loss of one.
MARIADB = "MariaDB, {}"
ORDERS_RELAY, CATALOG_RELAY = worker("orders-relay"), worker("catalog-relay")
STOCK_CONSUMER = worker("stock-consumer")
READS_ALL = worker("status-consumer")  # That of each cell reads the answers to the orders of all cells.


@dataclass(frozen=True)
class Costs:
    """What one order costs: milliseconds of a core, and bytes, by the name of what takes them.

    *rates* are the most orders a second that one process did.
    """

    about: Mapping[str, str]
    cpu_ms: Mapping[str, float]
    rates: Mapping[str, float]
    bytes: Mapping[str, float]

    @classmethod
    def measured(cls) -> "Costs":
        """The costs of an order with this version."""
        return cls(**json.loads(MEASURED.read_text()))


@dataclass(frozen=True)
class Wanted:
    """What to plan for: orders a second, and the part of a core's time that may be used (0 to 1)."""

    rate: int
    utilization: float = 0.6
    server_cores: int = 8
    replication: int = 3
    outbox_days: int = 14
    topic_days: int = 7
    binlog_days: int = 7


@dataclass(frozen=True)
class Need:
    """What is needed *count* times, and the cores that all of them use together."""

    name: str
    cores: float
    count: int


@dataclass(frozen=True)
class Stored:
    """Bytes that are added each day, and removed after so many days; None if they stay."""

    name: str
    daily: float
    days: int | None


@dataclass(frozen=True)
class Plan:
    """What a rate needs. *limits* are orders a second that this design cannot exceed on such servers."""

    cells: int
    partitions: int
    processes: list[Need]
    servers: list[Need]
    stored: list[Stored]
    network: dict[str, float]  # Bytes a second.
    limits: dict[str, int]

    def exceeded_by(self, rate: int) -> list[str]:
        """The limits that all orders together exceed."""
        return [name for name, limit in self.limits.items() if rate > limit and name != "one product"]


def plan(wanted: Wanted, costs: Costs) -> Plan:
    """The plan for the rate that is *wanted*."""
    return _Sums(wanted, costs).plan()


class _Sums:
    def __init__(self, wanted: Wanted, costs: Costs) -> None:
        self._wanted, self._costs = wanted, costs
        # A cell has one database of orders, and one relay that works: a second one only takes over.
        database = self._busy("MariaDB, orders") / wanted.server_cores
        self._cells = ceil(max(database, wanted.rate / self._most(ORDERS_RELAY)))

    def plan(self) -> Plan:
        wanted = self._wanted
        return Plan(
            cells=self._cells,
            partitions=max(self._at_work(consumer, wanted.rate) for consumer in CONSUMERS),
            processes=[self._process(process) for process in PROCESSES],
            servers=self._servers(),
            stored=self._stored(),
            network=self._network(),
            limits={
                "one product": floor(self._most(STOCK_CONSUMER)),
                "the catalog's relay": floor(self._most(CATALOG_RELAY)),
                "the catalog's database": floor(
                    wanted.rate * wanted.server_cores / self._busy("MariaDB, catalog")
                ),
            },
        )

    def _cores(self, name: str) -> float:
        return self._wanted.rate * self._costs.cpu_ms[name] / 1000

    def _busy(self, name: str) -> float:
        """The cores that are needed, so that each has the wanted utilization."""
        return self._cores(name) / self._wanted.utilization

    def _most(self, process: Process) -> float:
        """The orders a second that one process may do. A worker waits while its database works for it."""
        most = self._costs.rates[process.command] if process in WORKERS else 1000 / self._costs.cpu_ms["api"]
        return self._wanted.utilization * most

    def _at_work(self, process: Process, rate: float) -> int:
        """How many of a process a rate needs."""
        return ceil(rate / self._most(process))

    def _process(self, process: Process) -> Need:
        """One more than needed: it takes over when one ends."""
        groups = self._cells if "orders" in process.databases else 1
        rate = self._wanted.rate if process is READS_ALL else self._wanted.rate / groups
        at_work = 1 if isinstance(process, Relay) else self._at_work(process, rate)
        return Need(
            process.command,
            rate * groups * self._costs.cpu_ms[process.command] / 1000,
            groups * (at_work + 1),
        )

    def _servers(self) -> list[Need]:
        wanted = self._wanted
        # Each replica costs at most what the first one costs.
        kafka = self._cores("Kafka") * wanted.replication
        brokers = ceil(kafka / wanted.utilization / wanted.server_cores)
        return [
            Need("MariaDB, orders", self._cores("MariaDB, orders"), self._cells),
            Need("MariaDB, catalog", self._cores("MariaDB, catalog"), 1),
            Need("Kafka", kafka, max(BROKERS, wanted.replication, brokers)),
        ]

    def _stored(self) -> list[Stored]:
        wanted = self._wanted
        days = {"tables": None, "outbox": wanted.outbox_days, "binlog": wanted.binlog_days}
        found = [
            Stored(f"{name} {what}", self._daily(f"{name} {what}"), kept)
            for name in DATABASES
            for what, kept in days.items()
        ]
        records = sum(self._daily(f"{name} records") for name in DATABASES)
        return [*found, Stored("topics", records * wanted.replication, wanted.topic_days)]

    def _daily(self, kind: str) -> float:
        return self._wanted.rate * DAY * self._costs.bytes[kind]

    def _network(self) -> dict[str, float]:
        """What is sent and received. A record is received, copied, and sent to each group that reads it."""
        costs, wanted = self._costs, self._wanted
        found = {MARIADB.format(name): wanted.rate * costs.bytes[f"{name} network"] for name in DATABASES}
        readers: dict[DatabaseName, int] = {"orders": 1, "catalog": self._cells}
        kafka = sum(
            costs.bytes[f"{name} records"] * (2 * wanted.replication - 1 + readers[name])
            for name in DATABASES
        )
        return found | {"Kafka": wanted.rate * kafka}
