"""A database of the first version is upgraded with its rows, whatever is in them and whoever interrupts."""

from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import DateTime, Engine, LargeBinary, MetaData, String, Table, insert
from sqlalchemy.exc import IntegrityError, OperationalError

from lab import Lab
from orders_service import migrations
from orders_service.processes import DatabaseName
from rig import waiting
from rig.databases import Databases, databases_in
from tests.migrations.test_migrations import (
    KILLED,
    by_name,
    differences,
    drop_everything,
    killed_before,
    migrating,
)

pytestmark = pytest.mark.long


def fill(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Write rows into every table of a database at any version. All rows, by table."""
    reflected = MetaData()
    reflected.reflect(engine)
    with engine.begin() as connection:
        for table in reflected.sorted_tables:
            if table.name != "alembic_version":
                connection.execute(table.insert(), [row_of(table, number) for number in range(3)])
    return rows_in(engine)


def row_of(table: Table, number: int) -> dict[str, Any]:
    """A row that differs from the others in its numbers and in the case of its texts."""
    text = ("a it's \\ 😀", "A it's \\ 😀", "b ")[number]
    row: dict[str, Any] = {}
    for column in table.columns:
        if isinstance(column.type, String):
            row[column.name] = text[: column.type.length]
        elif isinstance(column.type, LargeBinary):
            row[column.name] = bytes(range(256))
        elif isinstance(column.type, DateTime):
            row[column.name] = datetime(2026, 1, 2, 3, 4, 5, 678900)  # noqa: DTZ001
        elif column.name not in ("id", "seq"):
            row[column.name] = number
    return row


def rows_in(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """The values of every row, by table. A table or column that a later version has added is empty."""
    reflected = MetaData()
    reflected.reflect(engine)
    with engine.connect() as connection:
        rows = {
            table.name: sorted(
                (
                    tuple((name, value) for name, value in row.items() if value is not None)
                    for row in connection.execute(table.select()).mappings()
                ),
                key=repr,
            )
            for table in reflected.sorted_tables
            if table.name != "alembic_version"
        }
    return {name: found for name, found in rows.items() if found}


def at_version_1(engine: Engine, name: DatabaseName) -> dict[str, list[tuple[Any, ...]]]:
    """A database of the first version, with rows in every table."""
    drop_everything(engine)
    migrations.upgrade(engine, name, to=f"{name}_0001")
    return fill(engine)


@pytest.mark.parametrize("name", ["orders", "catalog"])
def test_an_upgrade_killed_anywhere_keeps_every_row_and_can_be_repeated(
    databases: Databases, name: DatabaseName
) -> None:
    engine = databases.engines[name]
    for step in count(1):
        before = at_version_1(engine, name)
        killed = False
        try:
            with killed_before(engine, step):
                migrations.upgrade(engine, name)
        except KILLED:
            killed = True
            engine.dispose()  # A process that ends leaves no connection, and so no lock.
            migrations.upgrade(engine, name)

        assert differences(engine, name) == [], step
        assert rows_in(engine) == before, step
        if not killed:
            break

    assert step > 5


def test_two_upgrades_at_once_take_turns(databases: Databases, tmp_path: Path) -> None:
    before = {each: at_version_1(engine, each) for each, engine in by_name(databases)}

    running = [migrating(databases, tmp_path) for _ in range(2)]
    said = [process.communicate(timeout=waiting.seconds(60))[0].splitlines() for process in running]

    # Between its two databases, one may be overtaken by the other.
    assert sorted(line for lines in said for line in lines) == [
        "catalog: already at catalog_0003",
        "catalog: catalog_0002, catalog_0003 applied",
        "orders: already at orders_0003",
        "orders: orders_0002, orders_0003 applied",
    ]
    assert {each: rows_in(engine) for each, engine in by_name(databases)} == before


def test_two_groups_keep_the_same_record_in_version_2(databases: Databases) -> None:
    letter = Table("dead_letters", MetaData(), autoload_with=databases.orders)
    row = row_of(letter, 0)

    with databases.orders.begin() as connection:
        connection.execute(insert(letter), [row | {"consumer_group": group} for group in ("a", "A", "b")])
        with pytest.raises(IntegrityError):
            connection.execute(insert(letter), row | {"consumer_group": "b"})


@pytest.mark.real
def test_a_table_in_use_is_not_waited_for_without_end(lab: Lab) -> None:
    with databases_in(lab) as databases:
        at_version_1(databases.orders, "orders")

        with databases.orders.connect() as reader:
            reader.exec_driver_sql("SELECT * FROM orders").all()
            with pytest.raises(OperationalError, match="Lock wait timeout"):
                migrations.upgrade(databases.orders, "orders")

        assert migrations.upgrade(databases.orders, "orders") == ["orders_0002", "orders_0003"]
