"""Runs of the doctor: one at a time, bounded, and shown by every process."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orders_service.operations.actions import Request
from orders_service.operations.doctor import BYTES, COMMAND, PAUSE_SECONDS, REQUESTS, DoctorRuns, Start
from rig import waiting
from rig.waiting import await_true

FINDING = {"check": "port", "level": "fine", "seen": "it is free", "do": ""}


def printing(text: str) -> list[str]:
    """A command that prints *text*."""
    return [sys.executable, "-c", f"import sys; sys.stdout.write({text!r})"]


def until_exists(file: Path) -> list[str]:
    """A command that runs until *file* exists, and then prints no findings."""
    code = (
        f"import time, pathlib\nwhile not pathlib.Path({str(file)!r}).exists(): time.sleep(0.01)\nprint([])"
    )
    return [sys.executable, "-c", code]


def run_to_end(runs: DoctorRuns) -> list[dict[str, str]]:
    assert runs.start().started
    await_true(lambda: not runs.latest()["running"], "the run has ended")
    found: list[dict[str, str]] = runs.latest()["findings"]
    return found


class Clock:
    """A clock that a test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_before_the_first_run_there_is_nothing_to_show() -> None:
    assert DoctorRuns().latest() == {"at": None, "seconds": None, "running": False, "findings": []}


def test_the_findings_of_the_command_are_kept_with_their_time() -> None:
    runs = DoctorRuns(printing(json.dumps([FINDING])))

    assert run_to_end(runs) == [FINDING]

    assert runs.latest()["at"].endswith("+00:00")
    assert runs.latest()["seconds"] >= 0


def test_one_run_goes_on_at_a_time(tmp_path: Path) -> None:
    runs = DoctorRuns(until_exists(tmp_path / "go"))

    started = [runs.start().started, runs.start().started]
    running = runs.latest()["running"]
    (tmp_path / "go").touch()
    await_true(lambda: not runs.latest()["running"], "the run has ended")

    assert (started, running) == ([True, False], True)


def test_the_next_run_waits_for_ten_seconds() -> None:
    clock = Clock()
    runs = DoctorRuns(printing("[]"), clock=clock)
    run_to_end(runs)

    clock.now += PAUSE_SECONDS - 1
    too_early = runs.start().started
    clock.now += 1

    assert not too_early
    assert run_to_end(runs) == []


def test_a_run_that_a_killed_process_left_ends_by_itself(tmp_path: Path) -> None:
    clock, limit = Clock(), waiting.seconds(60)
    runs = DoctorRuns(until_exists(tmp_path / "go"), seconds=limit, clock=clock)
    runs.start()

    clock.now += limit + PAUSE_SECONDS + 1
    running, again = runs.latest()["running"], runs.start().started
    (tmp_path / "go").touch()
    await_true(lambda: not runs.latest()["running"], "the run has ended")

    assert (running, again) == (False, True)


@pytest.mark.parametrize(
    ("command", "seen"),
    [
        (printing("no JSON"), "the doctor ended without findings"),
        (printing("{}"), "the doctor ended without findings"),
        (["/nowhere/python"], "the doctor ended without findings"),
        (
            [sys.executable, "-c", f"print('[' + '1,' * {BYTES} + '1]')"],
            "the doctor ended without findings",
        ),
    ],
)
def test_a_command_that_fails_is_a_finding(command: list[str], seen: str) -> None:
    (finding,) = run_to_end(DoctorRuns(command))

    assert (finding["check"], finding["level"], finding["seen"]) == ("doctor", "wrong", seen)


def test_a_command_that_hangs_is_ended(tmp_path: Path) -> None:
    (finding,) = run_to_end(DoctorRuns(until_exists(tmp_path / "never"), seconds=0.2))

    assert finding["seen"] == "the doctor did not end within 0.2 s"


def asked(key: str, by: str = "kim") -> Request:
    return Request(action="doctor", on="all checks", by=by, key=key)


def test_a_request_that_is_repeated_starts_nothing_and_gets_its_answer() -> None:
    clock = Clock()
    runs = DoctorRuns(printing("[]"), clock=clock)
    runs.start(asked("a"))
    await_true(lambda: not runs.latest()["running"], "the run has ended")
    runs.start(asked("b"))

    clock.now += PAUSE_SECONDS
    answers = [runs.start(asked("a")), runs.start(asked("b"))]

    assert answers == [Start(True, replayed=True), Start(False, replayed=True)]
    assert runs.start(asked("a", by="ann")) == Start(True)
    await_true(lambda: not runs.latest()["running"], "the run has ended")


def test_only_the_newest_requests_are_remembered() -> None:
    runs = DoctorRuns(printing("[]"))
    run_to_end(runs)

    for number in range(REQUESTS + 1):
        runs.start(asked(str(number)))

    assert runs.start(asked("1")).replayed
    assert not runs.start(asked("0")).replayed


def in_child(act: Callable[[], bool]) -> bool:
    """What *act* returns in a forked process."""
    if (pid := os.fork()) == 0:
        os._exit(0 if act() else 1)
    return os.waitpid(pid, 0)[1] == 0


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_another_process_shows_the_newest_findings() -> None:
    runs = DoctorRuns(printing(json.dumps([FINDING])))

    assert in_child(lambda: run_to_end(runs) == [FINDING])

    assert runs.latest()["findings"] == [FINDING]
    assert not runs.start().started


def test_the_command_is_the_doctor_itself() -> None:
    assert COMMAND[1:] == ("-m", "orders_service", "doctor", "--json")
