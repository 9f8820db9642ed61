"""What a script sees: 0 for done, 1 for what is not there or was not done, 2 for a mistake of usage."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab import Lab
from rig.processes import UNSET, ended, service
from tests.commands.test_run import Running

PLACE = "example-catalog-topic-0@5"
SUPPLY = ["catalog", "supply", "CATALOG-001", "5", "--note"]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """`run`, with the course's three products."""
    found = Running(tmp_path_factory.mktemp("codes"))
    found.start()
    yield found
    found.close()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (["first-order"], 0),
        (["first-order", "--qty", "1000"], 1),
        (["first-order", "--product", "CATALOG-999"], 1),
        (["first-order", "--user", "a/b"], 1),
        (["first-order", "--qty", "0"], 1),
        (["first-order", "--url", "nonsense"], 2),
        (["outbox", "list"], 0),
        (["outbox", "requeue", "--set-aside"], 0),
        (["outbox", "requeue", "--since", "2026-01-01"], 0),
        (["outbox", "requeue"], 2),
        (["outbox", "resend", "--pending-older-than", "60"], 0),
        (["outbox", "purge"], 0),
        (["dead-letters", "list"], 0),
        (["dead-letters", "show", PLACE], 1),
        (["dead-letters", "replay", PLACE], 1),
        (["dead-letters", "discard", PLACE], 1),
        (["dead-letters", "replay"], 2),
        ([*SUPPLY, "one"], 0),
        (["catalog", "supply", "CATALOG-999", "1", "--note", "one"], 1),
        (["catalog", "supply", "CATALOG-001", "0", "--note", "two"], 2),
        (["catalog", "supply", "CATALOG-001", "-1", "--note", "two"], 2),
        (["catalog", "list"], 0),
        (["catalog", "correct", "CATALOG-001", "-1", "--note", "broken"], 0),
        (["catalog", "correct", "CATALOG-001", "-9000", "--note", "all"], 1),
        (["catalog", "correct", "CATALOG-999", "-1", "--note", "broken"], 1),
        (["catalog", "correct", "CATALOG-001", "1", "--note", "two"], 2),
        (["orders", "list"], 0),
        (["orders", "list", "--status", "LOST"], 2),
        (["orders", "show", "missing"], 1),
        (["topics", "list"], 0),
        (["topics", "create"], 0),
        (["topics", "describe", "example-catalog-topic"], 0),
        (["topics", "describe", "missing"], 1),
        (["migrate"], 0),
        (["config", "show"], 0),
        (["doctor"], 0),
        (["connectors", "apply", "missing"], 1),
        (["connectors", "list"], 1),
        (["run"], 1),
        (["api"], 1),
        (["fly"], 2),
        ([], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
def test_the_exit_code_says_whether_it_was_done(running: Running, words: list[str], code: int) -> None:
    done = running.word(*words, CONNECT_URL="http://127.0.0.1:1")

    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    if code == 1 and words[:2] != ["dead-letters", "replay"]:
        assert done.stderr


def test_a_rejected_order_is_told_before_the_code(running: Running) -> None:
    done = running.word("first-order", "--qty", "1000")

    assert "PENDING → REJECTED (insufficient-stock)" in done.stdout
    assert done.stderr == "Error: the order is REJECTED\n"


@pytest.mark.parametrize(
    ("variables", "code"), [({"API_PORT": "x"}, 2), ({"API_PORT": "1"}, 5)], ids=["settings", "not there"]
)
def test_the_doctor_has_codes_of_its_own(tmp_path: Path, variables: dict[str, str], code: int) -> None:
    assert ended("doctor", STATE_DIR=str(tmp_path), **variables).returncode == code


def test_another_program_on_the_port_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        settings = UNSET | {"STATE_DIR": str(tmp_path), "API_PORT": port}
        process = subprocess.Popen(service("first-order"), env=settings, stderr=subprocess.PIPE)
        connection, _ = other.accept()
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")
        _, said = process.communicate(timeout=60)
        connection.close()

    assert process.returncode == 1
    assert said.startswith(f"Error: another program answers at http://127.0.0.1:{port}".encode())


def test_a_worker_that_is_told_to_stop_ends_with_0(running: Running) -> None:
    with subprocess.Popen(
        service("orders-relay"), env=running.environment, stderr=subprocess.PIPE
    ) as process:
        assert process.stderr is not None
        assert b"started" in process.stderr.readline()
        process.send_signal(signal.SIGINT)

        assert process.wait(30) == 0


@pytest.mark.real
@pytest.mark.parametrize("word", ["status", "restart", "delete"])
def test_a_connector_that_is_not_there_is_1(lab: Lab, word: str) -> None:
    done = ended("connectors", word, "missing", CONNECT_URL=lab.connect.url)

    assert done.returncode == 1
    assert "missing" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_was_done_already_is_0_and_what_differs_is_1(running: Running) -> None:
    codes = [running.word(*SUPPLY, "twice").returncode for _ in range(2)]
    differs = running.word("catalog", "supply", "CATALOG-001", "6", "--note", "twice")

    assert (*codes, differs.returncode) == (0, 0, 1)
