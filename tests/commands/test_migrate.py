"""`migrate`: both databases, told line by line."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from sqlalchemy import inspect

from orders_service.commands.migrate import main
from orders_service.processes import DatabaseName
from rig.databases import Databases
from tests.migrations.test_migrations import drop_everything


def test_a_new_folder_gets_both_databases(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "new" / "what?"))

    result = CliRunner().invoke(main)

    assert result.output == (
        "orders: orders_0001, orders_0002, orders_0003 applied\n"
        "catalog: catalog_0001, catalog_0002, catalog_0003 applied\n"
    )
    assert sorted(path.name for path in (tmp_path / "new" / "what?").glob("*.db")) == [
        "catalog.db",
        "orders.db",
    ]


def test_a_script_gets_what_was_applied(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STATE_DIR", str(tmp_path))

    first, again = (json.loads(CliRunner().invoke(main, ["--json"]).output) for _ in range(2))

    assert first == [
        {
            "database": "orders",
            "applied": ["orders_0001", "orders_0002", "orders_0003"],
            "version": "orders_0003",
        },
        {
            "database": "catalog",
            "applied": ["catalog_0001", "catalog_0002", "catalog_0003"],
            "version": "catalog_0003",
        },
    ]
    assert again == [done | {"applied": []} for done in first]


def test_a_second_time_changes_nothing(monkeypatch: pytest.MonkeyPatch, databases: Databases) -> None:
    for name, url in databases.environment.items():
        monkeypatch.setenv(name, url)

    result = CliRunner().invoke(main)

    assert (result.exit_code, result.output) == (
        0,
        "orders: already at orders_0003\ncatalog: already at catalog_0003\n",
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


# As Hibernate makes them for the course's own services.
HIBERNATE = {
    "orders": (
        "CREATE TABLE orders (id bigint PRIMARY KEY, created_at datetime, order_id varchar(255) NOT NULL,"
        " product_id varchar(120) NOT NULL, qty int NOT NULL, total_price int NOT NULL,"
        " unit_price int NOT NULL, user_id varchar(255) NOT NULL, CONSTRAINT UK_orders UNIQUE (order_id))"
    ),
    "catalog": (
        "CREATE TABLE catalog (id bigint PRIMARY KEY, created_at datetime, product_id varchar(120) NOT NULL,"
        " product_name varchar(255) NOT NULL, stock int NOT NULL, unit_price int NOT NULL,"
        " CONSTRAINT UK_catalog UNIQUE (product_id))"
    ),
}


@pytest.mark.parametrize("name", ["orders", "catalog"])
def test_tables_of_another_service_are_refused_and_nothing_is_changed(
    monkeypatch: pytest.MonkeyPatch, databases: Databases, name: DatabaseName
) -> None:
    for variable, url in databases.environment.items():
        monkeypatch.setenv(variable, url)
    for engine in databases.engines.values():
        drop_everything(engine)
    with databases.engines[name].begin() as connection:
        connection.exec_driver_sql(HIBERNATE[name])

    result = CliRunner().invoke(main)

    assert result.exit_code == 1
    assert f"`{name}`" in result.output
    assert f"{name.upper()}_DATABASE_URL" in result.output
    found = {each: inspect(engine).get_table_names() for each, engine in databases.engines.items()}
    assert found == {"orders": [], "catalog": []} | {name: [name]}


def test_a_version_that_this_code_does_not_know_is_refused(
    monkeypatch: pytest.MonkeyPatch, databases: Databases
) -> None:
    for variable, url in databases.environment.items():
        monkeypatch.setenv(variable, url)
    with databases.orders.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = 'orders_9999'")

    result = CliRunner().invoke(main)

    assert result.exit_code == 1
    assert "at version orders_9999, which this version of the service does not know" in result.output
