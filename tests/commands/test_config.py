"""`config show|check|describe`: every setting, its meaning, where it comes from, and what is allowed."""

import json
import re
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from marshmallow import ValidationError

from orders_service.commands.config import main
from orders_service.settings import FIELDS, secrets
from rig.processes import ended

PAGE = Path(__file__).resolve().parents[2] / "docs/settings.md"
ALLOWED = {name.upper(): field.metadata["field"].metadata["allowed"] for name, field in FIELDS.items()}
NUMBERS = [name for name, allowed in ALLOWED.items() if allowed.startswith("a whole number")]
CHOICES = [
    (name, choice)
    for name, allowed in ALLOWED.items()
    if re.fullmatch(r"[A-Za-z0-9_-]+((, | or )[A-Za-z0-9_-]+)+", allowed)
    for choice in re.split(", | or ", allowed)
]


def shown() -> dict[str, str]:
    """Each line of `config show`, by the name of its setting."""
    result = CliRunner().invoke(main, ["show"], catch_exceptions=False)
    assert result.exit_code == 0
    return {line[2:].partition("=")[0]: line for line in result.output.splitlines()}


def test_every_setting_is_shown_with_its_meaning() -> None:
    lines = shown()

    assert list(lines) == [name.upper() for name in FIELDS]
    for name, field in FIELDS.items():
        assert lines[name.upper()].endswith(f" # {field.metadata['about']}")


def test_without_an_environment_nothing_has_a_star() -> None:
    assert [line for line in shown().values() if line.startswith("*")] == []


def test_what_is_set_has_a_star_and_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "9000")
    monkeypatch.setenv("CATALOG_CHECK_PRICE", "yes")
    monkeypatch.setenv("LOG_LEVEL", "")

    lines = shown()

    assert [name for name, line in lines.items() if line.startswith("*")] == [
        "API_PORT",
        "CATALOG_CHECK_PRICE",
    ]
    assert "API_PORT=9000 " in lines["API_PORT"]
    assert "CATALOG_CHECK_PRICE=on " in lines["CATALOG_CHECK_PRICE"]


def test_passwords_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERS_DATABASE_URL", "mariadb+pymysql://orders:s3cret@db/orders")

    line = shown()["ORDERS_DATABASE_URL"]

    assert line.startswith("* ORDERS_DATABASE_URL=mariadb+pymysql://***@db/orders ")
    assert "s3cret" not in line


def test_a_secret_from_a_file_has_a_star_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("mariadb+pymysql://orders:s3cret@db/orders\n")
    monkeypatch.setenv("ORDERS_DATABASE_URL_FILE", str(file))

    line = shown()["ORDERS_DATABASE_URL"]

    assert line.startswith("* ORDERS_DATABASE_URL=mariadb+pymysql://***@db/orders ")


def test_a_file_for_what_is_no_secret_is_not_read_and_has_no_star(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT_FILE", "/nowhere")

    assert shown()["API_PORT"].startswith("  API_PORT=8000 ")


def accepted(name: str, value: str) -> bool:
    """Whether the setting may have this value."""
    try:
        FIELDS[name.lower()].metadata["field"].deserialize(value)
    except ValidationError:
        return False
    return True


def test_the_page_of_settings_tells_those_that_there_are() -> None:
    described = CliRunner().invoke(main, ["describe"], catch_exceptions=False).output

    assert PAGE.read_text() == described, (
        "docs/settings.md is old; write it anew: orders-service config describe > docs/settings.md"
    )


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_may_be_what_the_page_says_and_no_more(name: str) -> None:
    least, most = map(int, re.findall(r"\d+", ALLOWED[name]))

    found = [accepted(name, str(number)) for number in (least - 1, least, most, most + 1)]

    assert found == [False, True, True, False]


@pytest.mark.parametrize(("name", "choice"), CHOICES)
def test_a_choice_on_the_page_is_one(name: str, choice: str) -> None:
    assert accepted(name, choice)


def test_only_a_secret_is_shown_as_stars(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_SECURITY_PROTOCOL", "SASL_PLAINTEXT")
    monkeypatch.setenv("KAFKA_USERNAME", "orders")
    monkeypatch.setenv("KAFKA_PASSWORD", "s3cret")

    lines = shown()

    assert lines["KAFKA_USERNAME"].startswith("* KAFKA_USERNAME=orders ")
    assert lines["KAFKA_PASSWORD"].startswith("* KAFKA_PASSWORD=*** ")
    assert "s3cret" not in "".join(lines.values())


INVALID = {
    "API_PORT": "x",
    "ORDERS_DATABASE_URL": "postgresql://o:s3cret@db/orders",
    "TOPIC_RETENTION_DAYS": "14",
    "LOG_LEVEL": "debug",
}
PROBLEMS = [
    "API_PORT must be a whole number from 1 to 65535 (it is 'x')",
    "ORDERS_DATABASE_URL must start with mariadb+pymysql:// or sqlite:///, not postgresql://",
    "OUTBOX_KEEP_DAYS is not longer than TOPIC_RETENTION_DAYS;"
    " events that a topic has deleted could not be sent again",
]


def config(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return ended("config", *words, **variables)


def test_valid_settings_are_shown_beside_the_invalid_ones_which_are_marked() -> None:
    done = config("show", **INVALID)

    lines = {line[2:].partition("=")[0]: line for line in done.stdout.splitlines()}
    assert done.returncode == 2
    assert list(lines) == [name.upper() for name in FIELDS]
    assert {name for name, line in lines.items() if line.startswith("✘")} == {
        *("API_PORT", "ORDERS_DATABASE_URL", "OUTBOX_KEEP_DAYS")
    }
    assert lines["LOG_LEVEL"].startswith("* LOG_LEVEL=debug ")
    assert lines["API_PORT"].startswith("✘ API_PORT=x ")
    assert lines["API_PORT"].endswith(f"# {PROBLEMS[0]}")
    assert lines["OUTBOX_KEEP_DAYS"].startswith("✘ OUTBOX_KEEP_DAYS=14 ")
    assert done.stderr.splitlines() == ["The settings are invalid:", *(f"  {line}" for line in PROBLEMS)]
    assert "s3cret" not in done.stdout + done.stderr


def test_a_script_gets_every_setting_with_its_problem() -> None:
    done = config("show", "--json", **INVALID)

    found = {setting["name"]: setting for setting in json.loads(done.stdout)}
    assert done.returncode == 2
    assert [found[name]["problem"] for name in ("API_PORT", "ORDERS_DATABASE_URL")] == PROBLEMS[:2]
    assert found["LOG_LEVEL"] == {
        **{"name": "LOG_LEVEL", "value": "debug", "isSet": True, "problem": None},
        "about": FIELDS["log_level"].metadata["about"],
    }
    assert "s3cret" not in done.stdout


def test_check_prints_valid_or_every_problem() -> None:
    good, bad = config("check"), config("check", **INVALID)

    assert (good.returncode, good.stdout, good.stderr) == (0, "valid\n", "")
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.splitlines() == ["The settings are invalid:", *(f"  {line}" for line in PROBLEMS)]


def test_check_gives_a_script_every_problem() -> None:
    good, bad = config("check", "--json"), config("check", "--json", **INVALID)

    assert (good.returncode, json.loads(good.stdout)) == (0, [])
    assert bad.returncode == 2
    assert [each["problem"] for each in json.loads(bad.stdout)] == PROBLEMS
    assert json.loads(bad.stdout)[0]["name"] == "API_PORT"


def test_a_script_gets_the_reference_of_all_settings() -> None:
    described = json.loads(CliRunner().invoke(main, ["describe", "--json"], catch_exceptions=False).output)

    assert {each["name"]: each["allowed"] for each in described} == ALLOWED
    assert {each["name"] for each in described if each["isSecret"]} == {*secrets()}
