"""`docs/extending.md` is true: each walk is followed in a copy of the repository, line by line."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from signal import SIGINT

import httpx
import pytest

from lab import Ports
from rig import waiting
from rig.processes import UNSET, Process, service
from rig.waiting import await_true

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[1]
COPIED = (
    "orders_service",
    "config",
    "docker",
    "docs",
    "tests",
    "rig",
    "lab",
    "pyproject.toml",
    ".dockerignore",
)
BLOCK = re.compile(r"^```diff\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"^\+\+\+ b/(.+)$", re.MULTILINE)

# What the failing test prints, where it is not the path of the file.
NAMED = {
    "orders_service/orders/order.py": "table orders has no column note",
    "orders_service/migrations/orders/orders_0004.py": "orders_service/migrations/orders lacks note",
}
DEAD_LETTER = """
    INSERT INTO dead_letters
        (topic, partition, "offset", record_timestamp, consumer_group, headers, reason, detail, created_at)
    VALUES ('orders', 0, 5, 0, 'orders-counting', '[]', 'unreadable', '', '2026-01-01 00:00:00')
"""


def walk(title: str) -> dict[str, str]:
    """The changes of a section of the page, by the file that each changes."""
    page = (ROOT / "docs/extending.md").read_text()
    section = page.partition(f"\n## {title}\n")[2].partition("\n## ")[0]
    changes = {FILE.findall(block)[0]: block for block in BLOCK.findall(section)}
    assert changes, f"docs/extending.md has no walk called {title}"
    return changes


class Copy:
    """A copy of the repository, to which changes are applied, with a state folder of its own."""

    def __init__(self, folder: Path, changes: Sequence[str]) -> None:
        self.folder = folder / "copy"
        ignored = shutil.ignore_patterns("__pycache__")
        for name in COPIED:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, self.folder / name, ignore=ignored, symlinks=True)
            elif source.exists():
                shutil.copy(source, self.folder / name)
        for change in changes:
            done = subprocess.run(
                ["git", "apply", "-"], input=change, cwd=self.folder, capture_output=True, text=True
            )
            assert done.returncode == 0, f"{done.stderr}\n{change}"
        self.port = Ports.free().connect
        self.environment = UNSET | {
            "PYTHONPATH": str(self.folder),
            "STATE_DIR": str(folder / "state"),
            "API_PORT": str(self.port),
        }

    def python(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=waiting.seconds(60),
        )

    def command(self, *words: str) -> str:
        """Run a command of the service; what it printed."""
        done = self.python("-m", "orders_service", *words)
        return done.stdout + done.stderr

    def test(self, *files: str) -> str:
        """Run the fast tests of *files*; what pytest printed, or nothing if all passed."""
        done = self.python("-m", "pytest", "-q", "-m", "not real", "-p", "no:cacheprovider", *files)
        return "" if done.returncode == 0 else done.stdout + done.stderr

    def while_it_runs(self, act: Callable[[httpx.Client], object]) -> str:
        """Call *act* with a client of the service while `run` is up; what `run` printed."""
        log = self.folder / "run.log"
        process = Process("run", service("run"), self.environment, log, self.folder)
        try:
            process.start(lambda: "Ctrl-C stops everything" in log.read_text())
            with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=waiting.seconds(10)) as api:
                act(api)
            assert process.stop(number=SIGINT) == 0
        finally:
            process.end()
        return log.read_text()


def test_a_consumer_is_a_handler_a_worker_file_and_a_row(tmp_path: Path) -> None:
    copy = Copy(tmp_path, [*walk("A consumer").values()])

    def order(_: httpx.Client) -> None:
        assert "PENDING → CONFIRMED" in copy.command("first-order")
        await_true(lambda: "orders counted" in (copy.folder / "run.log").read_text(), "the order is counted")

    printed = copy.while_it_runs(order)
    with closing(sqlite3.connect(tmp_path / "state/orders.db")) as database, database:
        database.execute(DEAD_LETTER)
    groups = [check["check"] for check in json.loads(copy.command("doctor", "--json"))]
    started = copy.python("-c", "from rig.deployment import PROCESSES\nprint(*PROCESSES)").stdout

    assert "status-consumer, counting-consumer" in printed
    assert "counting-consumer" in copy.command("--help")
    assert "--skip-gap" in copy.command("counting-consumer", "--help")
    assert "group orders-counting" in groups
    assert "orders-0@5 of orders-counting: would be replayed" in copy.command(
        "dead-letters", "replay", "--all", "--dry-run"
    )
    assert "orders-0@5 of orders-counting: discarded" in copy.command("dead-letters", "discard", "--all")
    assert "counting-consumer" in started


def test_a_consumer_that_is_not_deployed_is_missed(tmp_path: Path) -> None:
    consumer, deployment = walk("A consumer"), walk("The deployment of a consumer")
    missed = Copy(tmp_path / "missed", [*consumer.values()])
    deployed = Copy(tmp_path / "deployed", [*consumer.values(), *deployment.values()])
    files = ("tests/docker/test_deployment.py", "tests/test_processes.py", "tests/test_canvas.py")

    printed = missed.test(*files)

    assert "test_every_process_is_a_service" in printed
    assert "test_the_page_of_the_architecture_has_a_line_for_each_process" in printed
    assert "test_a_process_is_named_with_each_service_whose_database_it_uses" in printed
    assert deployed.test(*files) == ""


def test_a_field_is_in_every_form_of_an_order(tmp_path: Path) -> None:
    copy = Copy(tmp_path, [*walk("A field of an order").values()])
    asked = {"productId": "CATALOG-001", "qty": 1, "unitPrice": 1500, "note": "Ring twice"}

    def order(api: httpx.Client) -> None:
        placed = api.post("/order-service/kim/orders", json=asked)
        without = api.post("/order-service/kim/orders", json=asked | {"note": None})
        (listed,) = api.get("/order-service/kim/orders").json()
        assert (placed.status_code, placed.json()["note"], listed["note"]) == (
            201,
            "Ring twice",
            "Ring twice",
        )
        assert without.status_code == 422

    copy.while_it_runs(order)
    with closing(sqlite3.connect(tmp_path / "state/orders.db")) as database:
        ((payload,),) = database.execute("SELECT payload FROM outbox").fetchall()

    assert json.loads(payload)["note"] == "Ring twice"
    assert copy.test("tests/contract/test_facts.py") == ""


@pytest.mark.parametrize("forgotten", walk("A field of an order"))
def test_whoever_forgets_a_line_is_told_which(forgotten: str, tmp_path: Path) -> None:
    changes = {file: change for file, change in walk("A field of an order").items() if file != forgotten}

    printed = Copy(tmp_path, [*changes.values()]).test("tests/contract/test_facts.py")

    assert NAMED.get(forgotten, forgotten) in printed


def test_a_list_can_be_filtered(tmp_path: Path) -> None:
    copy = Copy(tmp_path, [*walk("A filter of a list").values()])

    def ask(api: httpx.Client) -> None:
        orders = "/order-service/kim/orders"
        for qty in (1, 10, 11):
            order = {"productId": "CATALOG-001", "qty": qty, "unitPrice": 1}
            api.post(orders, json=order).raise_for_status()
        first = api.get(f"{orders}?minQty=10&limit=1")
        second = api.get(first.links["next"]["url"])
        assert [order["qty"] for order in first.json() + second.json()] == [10, 11]
        assert "next" not in second.links
        assert api.get(f"{orders}?minQty=12").json() == []
        assert api.get(f"{orders}?minQty=0").status_code == 422

    copy.while_it_runs(ask)


def test_a_setting_is_read_shown_and_described(tmp_path: Path) -> None:
    copy = Copy(tmp_path, [*walk("A setting").values()])
    copy.environment |= {"API_BACKLOG": "100"}

    shown = copy.command("config", "show")
    copy.while_it_runs(lambda api: api.get("/readyz").raise_for_status())

    assert re.search(r"API_BACKLOG\s*=?\s*100", shown)
    assert "`API_BACKLOG`" in copy.command("config", "describe")
