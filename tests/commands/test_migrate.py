"""`migrate`: both databases, told line by line."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from orders_service.commands.migrate import main
from tests.databases import Databases


def test_a_new_folder_gets_both_databases(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "new" / "what?"))

    result = CliRunner().invoke(main)

    assert result.output == (
        "orders: orders_0001, orders_0002 applied\ncatalog: catalog_0001, catalog_0002 applied\n"
    )
    assert sorted(path.name for path in (tmp_path / "new" / "what?").glob("*.db")) == [
        "catalog.db",
        "orders.db",
    ]


def test_a_second_time_changes_nothing(monkeypatch: pytest.MonkeyPatch, databases: Databases) -> None:
    for name, url in databases.environment.items():
        monkeypatch.setenv(name, url)

    result = CliRunner().invoke(main)

    assert (result.exit_code, result.output) == (
        0,
        "orders: at orders_0002 already\ncatalog: at catalog_0002 already\n",
    )


def test_a_database_that_is_away_is_named_without_its_password(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    monkeypatch.setenv("CATALOG_DATABASE_URL", "mariadb+pymysql://c:s3cret@nowhere.invalid/catalog")

    result = CliRunner().invoke(main)

    assert result.exit_code == 1
    assert "catalog database (mariadb+pymysql://c:***@nowhere.invalid/catalog): " in result.output
    assert "s3cret" not in result.output
