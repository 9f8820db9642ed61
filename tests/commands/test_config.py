"""`config show`: every setting, its meaning, and where it comes from."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from orders_service.commands.config import main
from orders_service.settings import FIELDS


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

    assert line.startswith("* ORDERS_DATABASE_URL=mariadb+pymysql://orders:***@db/orders ")
    assert "s3cret" not in line


def test_a_secret_from_a_file_has_a_star_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("mariadb+pymysql://orders:s3cret@db/orders\n")
    monkeypatch.setenv("ORDERS_DATABASE_URL_FILE", str(file))

    line = shown()["ORDERS_DATABASE_URL"]

    assert line.startswith("* ORDERS_DATABASE_URL=mariadb+pymysql://orders:***@db/orders ")


def test_a_file_for_what_is_no_secret_is_not_read_and_has_no_star(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT_FILE", "/nowhere")

    assert shown()["API_PORT"].startswith("  API_PORT=8000 ")
