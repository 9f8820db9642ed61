"""The service as it is deployed: all its processes, on real servers and on topics of their own."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from lab import Lab, Ports
from orders_service import processes
from orders_service.settings import Settings
from rig import waiting
from rig.customers import answers
from rig.databases import Databases
from rig.processes import Process, ended, service

PROCESSES = tuple(process.command for process in processes.PROCESSES)
WORKERS = tuple(process.command for process in processes.WORKERS)
WARNINGS = ",".join(
    ["error", *(f"ignore:{name} is deprecated:DeprecationWarning" for name in ("open_text", "read_text"))]
)


def groups(name: str) -> dict[str, str]:
    """Settings with consumer groups of their own for *name*."""
    named = {consumer.command: consumer.group for consumer in processes.CONSUMERS}
    return {
        group.name: f"{command}-{name}"
        for command, group in named.items()
        if isinstance(group, processes.SettingName)
    }


class Deployment:
    """The processes of one service, by name. Each has its log in *folder*.

    A name is a command, perhaps with a number for another instance: `orders-relay#2`.
    """

    def __init__(self, lab: Lab, databases: Databases, folder: Path, **settings: str) -> None:
        self.databases = databases
        self.folder = folder
        self.port = Ports.free().connect
        name = uuid4().hex[:8]
        self.environment = (
            lab.environment()
            | databases.environment
            | {
                "API_PORT": str(self.port),
                "CATALOG_TOPIC": f"catalog-{name}",
                "STOCK_TOPIC": f"stock-{name}",
                **groups(name),
                "STATE_DIR": str(folder),
                "PYTHONWARNINGS": WARNINGS,
            }
            | settings
        )
        self.processes: dict[str, Process] = {}
        self.url = f"http://127.0.0.1:{self.port}"
        self.api = httpx.Client(base_url=self.url, timeout=waiting.seconds(30))

    @property
    def settings(self) -> Settings:
        """The settings of its processes."""
        return Settings.read(self.environment)

    def run(self, *words: str) -> str:
        """Run a command of the service that ends by itself; its output."""
        done = ended(*words, **self.environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def open(self, names: Sequence[str] = PROCESSES) -> None:
        """Create the topics, start processes, by default all, and wait until the API is ready."""
        self.run("topics", "create")
        self.start(*names)
        if "api" in names:
            self.await_ready()

    def start(self, *names: str, **environment: str) -> None:
        """Start processes, with settings of their own."""
        for name in names:
            command = service(name.partition("#")[0])
            self.processes[name] = Process(name, command, self.environment | environment, self.log(name))
            self.processes[name].start()

    def log(self, name: str) -> Path:
        """The log of a process of that name."""
        return self.folder / f"{name}.log"

    def signal(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a process and its children."""
        self.processes[name].signal(number)

    def kill(self, name: str) -> None:
        """Send SIGKILL to a process and its children, and forget it."""
        self.processes.pop(name).kill()

    def stop(self, name: str, *, seconds: float = 15) -> int:
        """Send SIGTERM to a process and forget it; its exit code."""
        return self.processes.pop(name).stop(seconds=seconds)

    def close(self) -> None:
        """Kill every process that still runs."""
        self.api.close()
        for name in list(self.processes):
            self.kill(name)

    def await_ready(self) -> None:
        """Wait until the API is ready."""
        waiting.await_true(lambda: answers(self.url, "/readyz"), "the API is ready", log=self.log("api"))

    def place(self, user: str, product: str, qty: int) -> dict[str, Any]:
        """Place an order; the body of the response."""
        body = {"productId": product, "qty": qty, "unitPrice": 1}
        response = self.api.post(f"/order-service/{user}/orders", json=body)
        assert response.status_code == 201, response.text
        placed: dict[str, Any] = response.json()
        return placed

    def await_answers(self, user: str, *, seconds: float = 30) -> list[dict[str, Any]]:
        """The user's orders, once none is PENDING."""
        orders: list[dict[str, Any]] = []

        def none_is_pending() -> bool:
            orders[:] = self.api.get(f"/order-service/{user}/orders").json()
            return all(order["status"] != "PENDING" for order in orders)

        waiting.await_true(none_is_pending, f"every order of {user} is answered", seconds=seconds)
        return orders


@contextmanager
def deployed(
    lab: Lab, databases: Databases, folder: Path, names: Sequence[str] = PROCESSES, **settings: str
) -> Iterator[Deployment]:
    """Processes of the service, by default all, ready; killed at the end of the block."""
    deployment = Deployment(lab, databases, folder, **settings)
    try:
        deployment.open(names)
        yield deployment
    finally:
        deployment.close()
