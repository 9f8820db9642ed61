"""`make clean` removes nothing from under a process that runs."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.clean import running

WAIT = "import sys; print('here', flush=True); sys.stdin.read()"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "var/lab/kafka-1").mkdir(parents=True)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv-3.13").mkdir()
    (tmp_path / ".venv/bin/orders-service").write_text(WAIT)
    return tmp_path


@pytest.fixture(
    params=[
        ["{checkout}/var/lab/kafka-1/server.properties"],
        ["--datadir={checkout}/var/lab/mariadb/data"],
        ["var/lab/connect/worker.properties"],
        ["./var/../.venv/bin/orders-service", "run"],
        [".venv-3.13/bin/orders-service", "api"],
    ]
)
def process(checkout: Path, request: pytest.FixtureRequest) -> Iterator[subprocess.Popen[bytes]]:
    """A process that runs from the checkout."""
    words = [word.format(checkout=checkout) for word in request.param]
    command = [sys.executable, "-c", WAIT, *words]
    with subprocess.Popen(command, cwd=checkout, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
        process.kill()


def test_what_runs_from_the_folders_is_found(checkout: Path, process: subprocess.Popen[bytes]) -> None:
    assert [pid for pid, _ in running(checkout)] == [process.pid]


def test_a_process_that_has_a_file_there_open_is_found(checkout: Path) -> None:
    with (checkout / "var/orders.db").open("w") as database:
        command = [sys.executable, "-c", WAIT]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=database) as process:
            found = running(checkout)
            process.kill()

    assert [pid for pid, _ in found if pid == process.pid] == [process.pid]


def test_make_clean_refuses_and_removes_nothing(checkout: Path, process: subprocess.Popen[bytes]) -> None:
    root = Path(__file__).resolve().parents[2]
    (checkout / "lab").mkdir()
    for name in ("Makefile", "lab/clean.py"):
        (checkout / name).write_text((root / name).read_text())

    done = subprocess.run(
        ["make", "clean", f"PYTHON={sys.executable}"],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode != 0
    assert str(process.pid) in done.stderr
    assert (checkout / ".venv").exists()
    assert (checkout / "var").exists()


def test_make_clean_removes_both_when_nothing_runs(checkout: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    (checkout / "lab").mkdir()
    for name in ("Makefile", "lab/clean.py"):
        (checkout / name).write_text((root / name).read_text())

    subprocess.run(["make", "clean", f"PYTHON={sys.executable}"], cwd=checkout, check=True)

    assert not (checkout / ".venv").exists()
    assert not (checkout / "var").exists()
