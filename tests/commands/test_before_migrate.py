"""Before `migrate`: every command says what to run, and leaves no empty database behind."""

import subprocess
from pathlib import Path

import pytest

from lab import Lab
from orders_service.processes import PROCESSES
from rig import processes
from rig.databases import Databases

READING = [
    ["outbox", "list"],
    ["outbox", "resend", "--pending-older-than", "1"],
    ["outbox", "requeue", "--set-aside"],
    ["outbox", "purge"],
    ["dead-letters", "list"],
    ["dead-letters", "show", "t-0@1"],
    ["dead-letters", "replay", "--all"],
    ["orders", "list"],
    ["orders", "show", "o"],
    ["catalog", "list"],
    ["catalog", "supply", "CATALOG-001", "1", "--note", "n"],
    ["catalog", "correct", "CATALOG-001", "-1", "--note", "n"],
    *([process.command] for process in PROCESSES),
]


def ended(folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return processes.ended(*words, **{"STATE_DIR": str(folder / "state")} | variables)


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_without_a_database_it_says_migrate_and_leaves_nothing(words: list[str], tmp_path: Path) -> None:
    done = ended(tmp_path, *words)

    assert done.returncode == 1
    assert "Create it with: orders-service migrate" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words", [["topics", "list"], ["doctor"], ["config", "show"], ["first-order"]], ids=" ".join
)
def test_what_needs_no_database_leaves_nothing_either(words: list[str], tmp_path: Path) -> None:
    done = ended(tmp_path, *words, API_PORT="1")

    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", READING[:10], ids=" ".join)
def test_without_tables_it_says_migrate(words: list[str], tmp_path: Path) -> None:
    for name in ("orders", "catalog"):
        (tmp_path / "state").mkdir(exist_ok=True)
        (tmp_path / "state" / f"{name}.db").touch()

    done = ended(tmp_path, *words)

    assert done.returncode == 1
    assert "no such table" in done.stderr
    assert done.stderr.endswith("Run: orders-service migrate\n")


@pytest.mark.real
def test_without_tables_in_mariadb_it_says_migrate(lab: Lab, tmp_path: Path) -> None:
    databases = Databases.on(lab.mariadb, "unmigrated")

    done = ended(tmp_path, "outbox", "list", **databases.environment)

    assert done.returncode == 1
    assert "1146" in done.stderr
    assert done.stderr.endswith("Run: orders-service migrate\n")
