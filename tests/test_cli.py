"""One command: every word is there, does its own work and loads nothing that it does not need."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from orders_service import __version__, cli
from orders_service.cli import COMMANDS
from orders_service.processes import WORKERS
from orders_service.settings import FIELDS
from rig import waiting
from rig.processes import ended, service

# What a process may have loaded, told by the first part of a module's name.
HEAVY = ("flask", "flask_sqlalchemy", "gunicorn", "sqlalchemy.orm", "alembic", "kafka", "httpx", "structlog")
OF_THE_API = ("flask", "flask_sqlalchemy", "gevent", "gunicorn", "werkzeug")
TOOLS = (
    *("migrate", "topics", "outbox", "dead-letters", "orders", "catalog", "connectors", "doctor", "config"),
    "first-order",
    "top",
)


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is set but what a test sets: an exported lab is not to be touched."""
    for name in FIELDS:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)


def loaded(script: str) -> set[str]:
    """The modules that a new process has loaded after *script*."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"import sys\n{script}\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        timeout=waiting.seconds(30),
        check=True,
    )
    return set(done.stdout.split())


def told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    """The exit code of the command line and what it says on stderr."""
    monkeypatch.setattr(sys, "argv", ["orders-service", *words])
    with pytest.raises(SystemExit) as ending:
        cli.main()
    return int(ending.value.code or 0), capsys.readouterr().err


def test_help_lists_every_word_with_what_it_does() -> None:
    lines = CliRunner().invoke(cli.commands, ["--help"]).output.splitlines()

    for word, (_, about) in COMMANDS.items():
        assert any(line.split()[:1] == [word] and about.split()[0] in line for line in lines), word


@pytest.mark.parametrize("word", COMMANDS)
def test_a_words_own_help_works(word: str) -> None:
    command = cli.commands.get_command(click.Context(cli.commands), word)

    result = CliRunner().invoke(cli.commands, [word, "--help"])

    assert isinstance(command, click.Command)
    assert command.name == word
    assert command.help
    assert result.exit_code == 0
    assert f"{word} [OPTIONS]" in result.output


@pytest.mark.parametrize("word", COMMANDS)
def test_every_word_within_a_word_says_what_it_does(word: str) -> None:
    command = cli.commands.get_command(click.Context(cli.commands), word)

    if isinstance(command, click.Group):
        assert all(inner.help for inner in command.commands.values())
        assert command.commands


def test_an_unknown_word_is_a_mistake_of_usage() -> None:
    result = CliRunner().invoke(cli.commands, ["fly"])

    assert result.exit_code == 2
    assert "fly" in result.output


def test_the_version_is_told() -> None:
    assert (
        CliRunner().invoke(cli.commands, ["--version"]).output == f"orders-service, version {__version__}\n"
    )


def test_help_loads_next_to_nothing() -> None:
    modules = loaded(
        "from orders_service.cli import commands\ncommands(['--help'], standalone_mode=False)",
    )

    assert modules & set(HEAVY) == set()
    assert {module for module in modules if module.startswith("orders_service.")} == {
        "orders_service.cli",
        "orders_service.endings",
        "orders_service.printable",
        "orders_service.processes",
    }


@pytest.mark.parametrize("word", [*(process.command for process in WORKERS), *TOOLS])
def test_a_worker_or_a_tool_loads_no_flask(word: str) -> None:
    modules = loaded(f"import {COMMANDS[word][0].partition(':')[0]}")

    assert modules & set(OF_THE_API) == set()


def test_the_api_loads_no_kafka() -> None:
    modules = loaded(f"import {COMMANDS['api'][0].partition(':')[0]}")

    assert "kafka" not in modules


def test_it_is_a_module_too() -> None:
    done = ended("--version")

    assert (done.returncode, done.stdout) == (0, f"orders-service, version {__version__}\n")


@pytest.mark.parametrize("words", [["api"], ["run"], ["config", "show"]])
def test_bad_settings_end_a_command_with_code_2_and_all_problems(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    monkeypatch.setenv("API_PORT", "x")
    monkeypatch.setenv("BROKER", "rabbitmq")
    monkeypatch.setenv("ORDERS_DATABASE_URL", "postgresql://o:s3cret@db/orders")

    code, said = told(monkeypatch, capsys, *words)

    assert code == 2
    assert said.splitlines() == [
        "The settings are invalid:",
        "  API_PORT must be a whole number from 1 to 65535 (it is 'x')",
        "  BROKER must be embedded or kafka (it is 'rabbitmq')",
        "  ORDERS_DATABASE_URL must start with mariadb+pymysql:// or sqlite:///, not postgresql://",
    ]


def test_a_variable_that_is_not_utf_8_is_told_and_not_a_traceback() -> None:
    done = subprocess.run(
        service("config", "show"),
        env={**os.environb, b"API_HOST": b"\xff"},
        capture_output=True,
        text=True,
        timeout=waiting.seconds(30),
    )

    assert done.returncode == 2
    assert done.stderr.splitlines()[1:] == ["  API_HOST is not text in UTF-8"]


@pytest.mark.parametrize(
    "words", [["migrate"], ["outbox", "list"], ["dead-letters", "list"], ["topics", "list"]]
)
def test_a_folder_that_cannot_be_is_told_and_not_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path, words: list[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "file" / "folder"))

    code, said = told(monkeypatch, capsys, *words)

    assert code == 1
    assert said.startswith("Error: ")
    assert str(tmp_path / "file") in said


@pytest.mark.parametrize(
    "words",
    [
        ["migrate"],
        ["topics", "create"],
        ["topics", "list"],
        ["outbox", "list"],
        ["dead-letters", "list"],
        ["orders", "list"],
        ["catalog", "list"],
        ["doctor"],
        ["connectors", "list"],
    ],
    ids=" ".join,
)
def test_a_tool_at_work_loads_no_flask(words: list[str], tmp_path: Path) -> None:
    environment = {"STATE_DIR": str(tmp_path), "CONNECT_URL": "http://127.0.0.1:1"}
    script = (
        f"import os; os.environ.update({environment})\n"
        "from orders_service.cli import commands\n"
        f"for each in (['migrate'], {words}):\n"
        "    try: commands(each, standalone_mode=False)\n"
        "    except (Exception, SystemExit): pass\n"
    )

    modules = loaded(script)

    assert "sqlalchemy" in modules
    assert modules & set(OF_THE_API) == set()
