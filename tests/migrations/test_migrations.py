"""The migrations make what the models say, on every database."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, cast

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import (
    Engine,
    MetaData,
    String,
    event,
    func,
    inspect,
    select,
)
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.orm import Session

from orders_service import migrations
from orders_service.catalog.product import CatalogBase
from orders_service.events.tables import EventsBase
from orders_service.orders.order import OrdersBase
from orders_service.processes import DatabaseName
from rig import waiting
from rig.databases import Databases
from rig.processes import UNSET, service

MODELS = {"orders": OrdersBase.metadata, "catalog": CatalogBase.metadata}
OPENING = {"orders": 0, "catalog": 3}  # So many rows stand in a new database.
# Text that nothing compares.
PROSE = {
    "actions.answer",
    "catalog.product_name",
    "dead_letters.detail",
    "dead_letters.headers",
    "outbox.error",
    "outbox.payload",
}


class Killed(BaseException):
    """In the place of a process that ends there and then."""


# Alembic tidies up after an exception, as a process that is killed does not; SQLAlchemy then refuses it.
KILLED = (Killed, PendingRollbackError)


def differences(engine: Engine, name: DatabaseName) -> list[object]:
    """What the models say, and the tables do not."""
    models = [EventsBase.metadata, MODELS[name]]  # Alembic takes several; its types do not say so.
    with engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), cast(MetaData, models)))


def drop_everything(engine: Engine) -> None:
    with engine.begin() as connection:
        for table in inspect(connection).get_table_names():
            connection.exec_driver_sql(f"DROP TABLE {table}")
    engine.dispose()


def migrating(databases: Databases, state: Path) -> "subprocess.Popen[str]":
    """A process that migrates both."""
    return subprocess.Popen(
        service("migrate"),
        env=UNSET | databases.environment | {"STATE_DIR": str(state)},
        stdout=subprocess.PIPE,
        text=True,
    )


def by_name(databases: Databases) -> list[tuple[DatabaseName, Engine]]:
    return [("orders", databases.orders), ("catalog", databases.catalog)]


@contextmanager
def killed_before(engine: Engine, step: int) -> Iterator[None]:
    """Let what writes to *engine* be killed before its statement number *step*, or before its commit."""
    steps = count(1)

    def on_statement(_: Any, __: Any, statement: str, *___: Any) -> None:
        if statement.split()[0] in ("ALTER", "CREATE", "DROP", "INSERT", "UPDATE"):
            on_commit()

    def on_commit(*_: Any) -> None:
        if next(steps) == step:
            raise Killed

    event.listen(engine, "before_cursor_execute", on_statement)
    event.listen(engine, "commit", on_commit)
    try:
        yield
    finally:
        event.remove(engine, "before_cursor_execute", on_statement)
        event.remove(engine, "commit", on_commit)


@pytest.mark.parametrize("name", ["orders", "catalog"])
def test_the_migrations_make_what_the_models_say(databases: Databases, name: DatabaseName) -> None:
    assert differences(databases.engines[name], name) == []


@pytest.mark.parametrize("name", ["orders", "catalog"])
def test_every_text_but_prose_is_compared_byte_by_byte(databases: Databases, name: DatabaseName) -> None:
    engine = databases.engines[name]
    exact = None if engine.dialect.name == "sqlite" else "utf8mb4_nopad_bin"
    inspector = inspect(engine)

    loose = [
        f"{table}.{column['name']}"
        for table in inspector.get_table_names()
        if table != "alembic_version"
        for column in inspector.get_columns(table)
        if isinstance(column["type"], String)
        and f"{table}.{column['name']}" not in PROSE
        and column["type"].collation != exact
    ]

    assert loose == []


def test_migrating_twice_changes_nothing(databases: Databases) -> None:
    assert migrations.upgrade(databases.orders, "orders") == []


def test_two_migrations_at_once_take_turns(databases: Databases, tmp_path: Path) -> None:
    for engine in databases.engines.values():
        drop_everything(engine)

    running = [migrating(databases, tmp_path) for _ in range(3)]
    said = sorted(process.communicate(timeout=waiting.seconds(60))[0] for process in running)

    already = "orders: already at orders_0003\ncatalog: already at catalog_0003\n"
    assert sum("orders: orders_0001, orders_0002, orders_0003 applied" in text for text in said) == 1
    assert sum("catalog: catalog_0001, catalog_0002, catalog_0003 applied" in text for text in said) == 1
    assert [process.returncode for process in running] == [0, 0, 0]
    assert already in said


@pytest.mark.parametrize("name", ["orders", "catalog"])
def test_a_migration_killed_anywhere_can_be_repeated(databases: Databases, name: DatabaseName) -> None:
    engine = databases.engines[name]
    for step in count(1):
        drop_everything(engine)
        try:
            with killed_before(engine, step):
                migrations.upgrade(engine, name)
        except KILLED:
            migrations.upgrade(engine, name)
        else:
            break

        assert differences(engine, name) == [], step
        with Session(engine) as session:
            assert (
                session.scalar(select(func.count()).select_from(MODELS[name].tables[name])) == OPENING[name]
            )

    assert step > 10
