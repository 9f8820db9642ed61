"""Processes that a real Prometheus scrapes, after some orders."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lab import Lab
from lab.ports import free_ports
from rig.databases import Databases
from rig.deployment import PROCESSES, Deployment
from rig.prometheus import Prometheus
from rig.waiting import await_true
from tests.observability.files import FOLDER

ORDERS = 40
SCRAPES = 5  # After the orders: a rate needs two samples.


@dataclass(frozen=True)
class Watched:
    """Processes on real servers, by name the port of their metrics, and the Prometheus that scrapes them."""

    deployment: Deployment
    ports: dict[str, int]
    prometheus: Prometheus


@pytest.fixture(scope="package")
def watched(programs: None, lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """All processes, after forty orders: some confirmed, some rejected, some cancelled."""
    folder = tmp_path_factory.mktemp("watched")
    databases = Databases.on(lab.mariadb, "watched")
    databases.migrate()
    deployment = Deployment(lab, databases, folder)
    ports = dict(zip(PROCESSES, free_ports(len(PROCESSES)), strict=True))
    try:
        deployment.run("topics", "create")
        for name, port in ports.items():
            deployment.start(name, METRICS_PORT=str(port))
        deployment.await_ready()
        jobs = {name: [port] for name, port in ports.items()}
        with Prometheus(folder / "prometheus", jobs, FOLDER / "rules.yml") as server:
            server.await_up()
            _order(deployment, 1)  # Of a series that is new, the first increment cannot be seen.
            _await_scrapes(server, 2)
            _order(deployment, ORDERS)
            _await_scrapes(server, SCRAPES)
            yield Watched(deployment, ports, server)
    finally:
        deployment.close()
        databases.dispose()


def _order(deployment: Deployment, count: int) -> None:
    for number in range(count):
        deployment.place("ann", "CATALOG-001" if number % 4 else "NO-SUCH-PRODUCT", 1)
    deployment.await_answers("ann")


def _await_scrapes(server: Prometheus, count: int) -> None:
    """Wait until every target was scraped so many times more."""
    scrapes = "min(count_over_time(up[1h]))"
    (before,) = server.query(scrapes)

    def enough() -> bool:
        (now,) = server.query(scrapes)
        return now.value >= before.value + count

    await_true(enough, f"{count} more scrapes")
