"""The service as it is deployed: real processes by their words, on real servers."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lab import Lab, LabError, Ports
from orders_service.catalog.product import Reservation, State
from orders_service.events.tables import DeadLetter
from orders_service.settings import Settings
from tests import patience
from tests.databases import Databases, assert_stock_adds_up
from tests.patience import await_true

WORKERS = ("orders-relay", "stock-consumer", "catalog-relay", "status-consumer")
PROCESSES = ("api", *WORKERS)


class Deployment:
    """One of every process, each with its log in *folder*."""

    def __init__(self, lab: Lab, databases: Databases, folder: Path, **settings: str) -> None:
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
                "STOCK_GROUP": f"stock-{name}",
                "STATUS_GROUP": f"status-{name}",
                "STATE_DIR": str(folder),
                "PYTHONWARNINGS": "error,ignore:open_text is deprecated:DeprecationWarning,"
                "ignore:read_text is deprecated:DeprecationWarning",
            }
            | settings
        )
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.api = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=patience.seconds(30))

    @property
    def settings(self) -> Settings:
        """What its processes are told."""
        return Settings.read(self.environment)

    def run(self, *words: str) -> str:
        """Run a word to its end; what it printed."""
        done = subprocess.run(
            _command(words), env=self._env(), capture_output=True, text=True, timeout=patience.seconds(60)
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self, *words: str, **environment: str) -> None:
        """Start processes by their words, with settings of their own.

        A name may carry a number: `orders-relay#2`.
        """
        for word in words:
            with self.log(word).open("ab") as log:
                self.processes[word] = subprocess.Popen(
                    _command([word.partition("#")[0]]),
                    env=self._env() | environment,
                    stdout=log,
                    stderr=log,
                )

    def log(self, word: str) -> Path:
        """What a process of that name has said."""
        return self.folder / f"{word}.log"

    def signal(self, word: str, number: signal.Signals) -> None:
        """Send a signal to a process and, before it, to its children."""
        pid = self.processes[word].pid
        for each in [*children(pid), pid]:
            with suppress(ProcessLookupError):
                os.kill(each, number)

    def kill(self, word: str) -> None:
        """kill -9, and the children of the API with it."""
        self.signal(word, signal.SIGKILL)
        self.processes.pop(word).wait(patience.seconds(10))

    def await_end(self, word: str, *, seconds: float = 30) -> int:
        """Wait until the process has ended by itself; the exit code."""
        code = self.processes[word].wait(patience.seconds(seconds))
        del self.processes[word]
        return code

    def stop(self, word: str, *, seconds: float = 15) -> int:
        """SIGTERM; the exit code."""
        process = self.processes.pop(word)
        process.terminate()
        return process.wait(patience.seconds(seconds))

    def close(self) -> None:
        """End what still runs."""
        self.api.close()
        for word in list(self.processes):
            self.kill(word)

    def await_ready(self) -> None:
        """Wait until the API answers."""
        await_true(self._is_ready, "the API is ready", log=self.log("api"))

    def place(self, user: str, product: str, qty: int, *, key: str | None = None) -> dict[str, Any]:
        """Place an order; the answer's body."""
        headers = {"Idempotency-Key": key} if key else {}
        asked = {"productId": product, "qty": qty, "unitPrice": 1}
        response = self.api.post(f"/order-service/{user}/orders", json=asked, headers=headers)
        assert response.status_code == 201, response.text
        answer: dict[str, Any] = response.json()
        return answer

    def orders(self, user: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.api.get(f"/order-service/{user}/orders").json()
        return found

    def await_answers(self, user: str, *, seconds: float = 30) -> list[dict[str, Any]]:
        """The user's orders once none is PENDING."""

        def none_pending() -> bool:
            return all(order["status"] != "PENDING" for order in self.orders(user))

        await_true(none_pending, f"every order of {user} is answered", seconds=seconds)
        return self.orders(user)

    def _is_ready(self) -> bool:
        try:
            return self.api.get("/readyz").status_code == 200
        except httpx.TransportError:
            return False

    def _env(self) -> dict[str, str]:
        return os.environ | self.environment


@contextmanager
def deployed(lab: Lab, databases: Databases, folder: Path, **settings: str) -> Iterator[Deployment]:
    """All five processes, topics created, ready; ended in the end."""
    deployment = Deployment(lab, databases, folder, **settings)
    try:
        deployment.run("topics", "create")
        deployment.start(*PROCESSES)
        deployment.await_ready()
        yield deployment
    finally:
        deployment.close()


@contextmanager
def running(lab: Lab) -> Iterator[None]:
    """*lab* for as long as the block lasts. Where it cannot run, tests are skipped; in CI they fail."""
    try:
        lab.__enter__()
    except LabError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the lab cannot run here: {error}")
    try:
        yield
    finally:
        lab.__exit__(None, None, None)


@contextmanager
def databases_in(lab: Lab) -> Iterator[Databases]:
    """Two databases of the lab's MariaDB, migrated."""
    name = uuid4().hex[:8]
    found = Databases(
        lab.mariadb.create_database(f"orders_{name}"), lab.mariadb.create_database(f"catalog_{name}")
    )
    found.migrate()
    yield found
    found.dispose()


def assert_orders_and_reservations_agree(orders: list[dict[str, object]], databases: Databases) -> None:
    """One reservation for each order, in the state that the order's status calls for; stock adds up."""
    states = {
        "CONFIRMED": {State.RESERVED},
        "REJECTED": {State.REJECTED},
        "CANCELLED": {State.RELEASED, State.VOID, State.REJECTED},
    }
    expected = {str(order["orderId"]): states[str(order["status"])] for order in orders}

    def agree() -> bool:
        with Session(databases.catalog) as session:
            found = dict(session.execute(select(Reservation.order_id, Reservation.state)).all())
        return found.keys() == expected.keys() and all(found[id_] in expected[id_] for id_ in expected)

    await_true(agree, "orders and reservations agree")
    with Session(databases.catalog) as session:
        assert_stock_adds_up(session)
        assert session.scalar(select(func.count()).select_from(DeadLetter)) == 0


def _command(words: Any) -> list[str]:
    return [sys.executable, "-m", "orders_service", *words]


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []
