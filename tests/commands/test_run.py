"""`run`: everything in one process, with nothing but Python."""

import os
import re
import shlex
import signal
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from lab import Ports
from orders_service.commands import run
from orders_service.settings import Settings
from rig import waiting
from rig.processes import UNSET, Process, children, ended, service
from rig.waiting import await_true


class Running:
    """`orders-service run` in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = Ports.free().connect
        self.environment = UNSET | {"STATE_DIR": str(folder / "state"), "API_PORT": str(self.port)}
        self.log = folder / "run.log"
        self.process = Process("run", service("run"), self.environment, self.log)

    def start(self, *options: str) -> None:
        self.log.unlink(missing_ok=True)
        self.process = Process("run", service("run", *options), self.environment, self.log)
        self.process.start()
        await_true(lambda: "Ctrl-C stops everything" in self.log.read_text(), "it is ready", log=self.log)

    def word(self, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return ended(*words, **self.environment | settings)

    def stock(self) -> int:
        answer = httpx.get(f"http://127.0.0.1:{self.port}/catalog-service/catalogs/CATALOG-001")
        return int(answer.json()["stock"])

    def interrupt(self) -> int:
        return self.process.stop(seconds=15, number=signal.SIGINT)

    def close(self) -> None:
        self.process.end()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """It, not started yet."""
    found = Running(tmp_path)
    yield found
    found.close()


def test_a_first_order_takes_one_piece_and_is_confirmed(running: Running) -> None:
    running.start()

    told = running.word("first-order")

    assert told.returncode == 0, told.stderr
    assert "PENDING → CONFIRMED" in told.stdout
    assert running.stock() == 99
    address = told.stdout.splitlines()[-1].removeprefix("See the order: ")
    assert address.startswith(f"http://127.0.0.1:{running.port}/ui/orders/")
    assert httpx.get(address).status_code == 200


def test_it_has_the_practice(running: Running) -> None:
    running.start()

    shown, road = (
        httpx.get(f"http://127.0.0.1:{running.port}/admin/{name}").json() for name in ("practice", "road")
    )

    assert {fault["state"] for fault in shown["faults"]} == {"ready"}
    assert road["service"]["practice"] is True


def test_without_the_page_neither_command_names_it(running: Running) -> None:
    running.environment["UI"] = "off"
    running.start()

    told = running.word("first-order")

    assert told.returncode == 0, told.stderr
    assert "/ui" not in told.stdout
    assert "/ui" not in running.log.read_text()


def test_it_says_what_runs_where_and_what_to_type_next(running: Running) -> None:
    running.start()

    told = running.log.read_text()

    assert f"http://127.0.0.1:{running.port}/order-service/{{userId}}/orders" in told
    first = next(line for line in told.splitlines() if "http://" in line)
    assert first == f"  Look     http://127.0.0.1:{running.port}/ui"
    assert f"API_PORT={running.port} (from the environment)" in told
    assert f"API_PORT={running.port} STATE_DIR={running.environment['STATE_DIR']} make first-order" in told


def test_ctrl_c_stops_everything_and_a_second_start_goes_on(running: Running) -> None:
    running.start()
    running.word("first-order")
    workers = children(running.process.pid)

    code = running.interrupt()
    running.start()

    assert code == 0
    assert not any(map(psutil.pid_exists, workers))
    assert running.stock() == 99


def test_reset_begins_anew_and_removes_its_own_files_only(running: Running) -> None:
    running.start()
    running.word("first-order")
    running.interrupt()
    mine = Path(running.environment["STATE_DIR"], "notes.txt")
    mine.write_text("mine")

    running.start("--reset")

    assert running.stock() == 100
    assert mine.read_text() == "mine"


def test_nobody_else_can_read_its_state(running: Running) -> None:
    state = Path(running.environment["STATE_DIR"])
    state.mkdir(mode=0o755)
    (state / "orders.db").touch(mode=0o644)
    umask = os.umask(0)

    try:
        running.start()
        running.word("first-order")
    finally:
        os.umask(umask)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in state.iterdir()}
    assert stat.S_IMODE(state.stat().st_mode) == 0o700
    assert {"orders.db", "catalog.db", "broker.db", "run.lock"} <= modes.keys()
    assert set(modes.values()) == {0o600}


def test_a_folder_with_other_files_stays_as_open_as_it_was(running: Running) -> None:
    state = Path(running.environment["STATE_DIR"])
    state.mkdir()
    state.chmod(0o755)
    (state / "notes.txt").touch()

    running.start()

    assert stat.S_IMODE(state.stat().st_mode) == 0o755
    assert stat.S_IMODE((state / "orders.db").stat().st_mode) == 0o600


def test_the_printed_first_order_names_the_file_of_a_secret(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef" * 2)
    monkeypatch.setenv("AUTH_MODE", "jwt")
    monkeypatch.setenv("AUTH_SECRET_FILE", str(secret))

    assert f"AUTH_MODE=jwt AUTH_SECRET_FILE={secret} " in run._settings_for_first_order(Settings.read())

    monkeypatch.delenv("AUTH_SECRET_FILE")
    monkeypatch.setenv("AUTH_SECRET", secret.read_text())
    assert "AUTH_SECRET=… " in run._settings_for_first_order(Settings.read())


def test_the_advice_for_a_taken_port_works_as_printed(running: Running) -> None:
    running.start()

    refused = running.word("run")

    assert refused.returncode == 1
    (line,) = refused.stderr.splitlines()
    assert f"127.0.0.1:{running.port} is taken by another process" in line
    advised = dict(re.findall(r"(API_PORT|STATE_DIR)=(\S+)", line))
    assert line.endswith(f"API_PORT={advised['API_PORT']} STATE_DIR={advised['STATE_DIR']} make run")
    second = Running(running.folder)
    second.port = int(advised["API_PORT"])
    second.environment |= advised | {"STATE_DIR": str(running.folder / advised["STATE_DIR"])}
    second.log = running.folder / "second.log"
    try:
        second.start()
        said = second.log.read_text()
        (printed,) = re.findall(r"  (.*) make first-order", said)
        settings = dict(word.split("=", 1) for word in shlex.split(printed))
        told = running.word("first-order", **settings)
        stocks = (running.stock(), second.stock())
    finally:
        second.close()
    assert settings == {"API_PORT": str(second.port), "STATE_DIR": second.environment["STATE_DIR"]}
    assert told.returncode == 0, told.stderr
    assert stocks == (100, 99)


def test_a_second_one_in_the_same_folder_is_refused(running: Running) -> None:
    running.start()

    refused = running.word("run", API_PORT=str(Ports.free().connect))

    assert refused.returncode == 1
    assert "another `run` uses" in refused.stderr


def test_an_order_placed_before_its_worker_was_killed_is_still_answered(running: Running) -> None:
    running.start()
    (worker,) = children(running.process.pid)
    url = f"http://127.0.0.1:{running.port}/order-service/kim/orders"
    httpx.post(url, json={"productId": "CATALOG-001", "qty": 1, "unitPrice": 1})

    os.kill(worker, signal.SIGKILL)

    def answered() -> bool:
        try:
            return [order["status"] for order in httpx.get(url).json()] == ["CONFIRMED"]
        except httpx.TransportError:
            return False

    await_true(answered, "the order is confirmed")


def test_its_worker_does_not_outlive_it(running: Running) -> None:
    running.start()
    (worker,) = children(running.process.pid)

    running.process.stop(number=signal.SIGKILL)

    await_true(lambda: not psutil.pid_exists(worker), "the worker has ended")


def test_without_a_service_the_first_order_says_what_to_do(running: Running) -> None:
    began = time.monotonic()

    told = running.word("first-order")

    assert told.returncode == 1
    assert "Start the API (make run, or orders-service api)" in told.stderr
    assert time.monotonic() - began < waiting.seconds(30)
