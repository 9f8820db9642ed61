"""A deployment that Prometheus scrapes, whose ways to MariaDB and Kafka can be broken."""

import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from uuid import uuid4

from sqlalchemy.engine import make_url

from lab import Lab
from lab.ports import free_ports
from rig.customers import Customers, Habits
from rig.databases import Databases
from rig.deployment import PROCESSES, Deployment
from rig.prometheus import Prometheus
from tests.faults.alerts.rules import shortened
from tests.faults.proxy import Proxy

RULES = Path(__file__).resolve().parents[3] / "docker/observability/rules.yml"
PLENTY = "CATALOG-001"
RATE = 8  # Orders a second.


class Scene:
    """The processes, each with its metrics; a proxy in front of each database; and Prometheus."""

    def __init__(self, lab: Lab, folder: Path, **settings: str) -> None:
        self.lab = lab
        self.databases = Databases.on(lab.mariadb, f"alerts_{uuid4().hex[:8]}")
        self.databases.migrate()
        self.proxies = {name: Proxy(lab.mariadb.ports[0]) for name in ("orders", "catalog")}
        urls = {
            f"{name.upper()}_DATABASE_URL": _through(proxy, self.databases.environment, name)
            for name, proxy in self.proxies.items()
        }
        folder.mkdir(parents=True)
        self.deployment = Deployment(lab, self.databases, folder, **urls, **settings)
        self.ports = dict(zip(PROCESSES, free_ports(len(PROCESSES)), strict=True))
        rules = folder / "rules.yml"
        rules.write_text(shortened(RULES.read_text()))
        jobs = {name: [port] for name, port in self.ports.items()}
        # An API waits up to 4 s for a database that hangs, before it reports that it is down.
        self.prometheus = Prometheus(folder / "prometheus", jobs, rules, every={"api": 5})

    def start(self, *names: str) -> None:
        """Start processes."""
        for name in names:
            self.deployment.start(name, METRICS_PORT=str(self.ports[name]))

    @contextmanager
    def running(self) -> Iterator[None]:
        """All processes and Prometheus, and customers who order, until the block ends."""
        with ExitStack() as stack:
            for proxy in self.proxies.values():
                stack.callback(proxy.close)
            stack.callback(self.databases.dispose)
            stack.callback(self.deployment.close)
            self.deployment.run("topics", "create")
            self.start(*PROCESSES)
            self.deployment.await_ready()
            self.deployment.run("catalog", "supply", PLENTY, "100000", "--note", "for the alerts")
            stack.enter_context(self.prometheus)
            self.prometheus.await_up()
            habits = Habits(keys=1)
            url = [self.deployment.url]
            customers = Customers(url, {PLENTY: 1}, random.Random(), rate=RATE, crowd=6, habits=habits)
            stack.enter_context(customers.ordering())
            yield


def _through(proxy: Proxy, urls: dict[str, str], name: str) -> str:
    url = make_url(urls[f"{name.upper()}_DATABASE_URL"])
    return url.set(port=proxy.port).render_as_string(hide_password=False)
