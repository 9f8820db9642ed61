"""The commands of the lab's shell in strange folders and environments. No server runs."""

import io
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from lab import Lab, Ports
from lab.errors import NoShell, UnknownAction
from lab.shell import _environment, shell
from lab.shell.commands import run as run_slide
from lab.shell.home import NAMES, write_home
from rig import waiting

FOLDERS = ["plain", "with blanks", "it's", 'a "b"', "a $HOME `id` $(id) \\ b", "주문"]


@pytest.fixture(params=FOLDERS)
def own(request: pytest.FixtureRequest, tmp_path: Path) -> Lab:
    return Lab(tmp_path / request.param, Ports.free(), out=io.StringIO())


def run(words: list[str], folder: Path, environment: Mapping[str, str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        words,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=waiting.seconds(60),
        check=False,
    )


def test_a_command_and_a_mistyped_one_are_answered_in_any_folder(own: Lab, tmp_path: Path) -> None:
    environment = _environment(own, write_home(own))

    known = run(["bash", "-c", "mysql.server status"], tmp_path, environment)
    mistyped = run(["bash", "-c", "kafka-topic.sh --list"], tmp_path, environment)

    assert (known.stdout, known.stderr) == (f"MariaDB stopped on {own.mariadb.where}.\n", "")
    assert mistyped.stderr == "kafka-topic.sh: command not found; did you mean kafka-topics.sh?\n"


@pytest.fixture
def plain(tmp_path: Path) -> Lab:
    return Lab(tmp_path / "lab home", Ports.free(), out=io.StringIO())


def test_a_learners_own_python_files_are_not_imported(plain: Lab, tmp_path: Path) -> None:
    for name in ("lab", "json", "kafka", "click"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('a file of the working directory')\n")

    done = run([str(write_home(plain) / "bin" / "mysql.server"), "status"], tmp_path, os.environ)

    assert (done.returncode, done.stderr) == (0, "")


def test_two_hyphens_are_an_unknown_command_too(plain: Lab, tmp_path: Path) -> None:
    done = run([str(write_home(plain) / "unknown"), "--", "x"], tmp_path, os.environ)

    assert done.stderr == "--: command not found\n"


def test_the_scripts_that_another_shell_may_run_are_left_as_they_are(plain: Lab) -> None:
    home = write_home(plain)
    scripts = [home / "bin" / name for name in NAMES]
    before = [script.stat().st_ctime_ns for script in scripts]

    write_home(plain)

    assert [script.stat().st_ctime_ns for script in scripts] == before


def test_a_script_that_was_half_written_is_written_again(plain: Lab) -> None:
    home = write_home(plain)
    script, other = (home / "bin" / name for name in ("mysql", "kafka-topics"))
    text = script.read_text()
    script.write_text("")
    other.chmod(0o600)

    write_home(plain)

    assert script.read_text() == text
    assert os.access(other, os.X_OK)


def test_a_shell_that_cannot_be_run_is_told_before_anything_is_started(
    plain: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHELL", "/nowhere/fish")

    with pytest.raises(NoShell, match="SHELL=/nowhere/fish cannot be run"):
        shell(plain, "true")

    assert not plain.home.exists()


@pytest.mark.parametrize("words", [["sttop"], ["--help"], ["reload"]], ids=" ".join)
def test_an_action_that_mysql_server_does_not_know_starts_nothing(plain: Lab, words: list[str]) -> None:
    with pytest.raises(UnknownAction):
        run_slide(plain, "mysql.server", words)

    assert not plain.home.exists()
