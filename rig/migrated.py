"""Databases that are migrated in a moment: the first one by its migrations, the others as copies of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Engine, inspect

from orders_service import migrations
from orders_service.processes import DatabaseName


class Copy(Protocol):
    def write(self, engine: Engine) -> None:
        """Write the copy into a new database."""


@dataclass
class File:
    """The bytes of an SQLite database."""

    content: bytes

    @classmethod
    def of(cls, engine: Engine) -> "File":
        with engine.connect() as connection:
            opened: Any = connection.connection.dbapi_connection
            return cls(opened.serialize())

    def write(self, engine: Engine) -> None:
        _file(engine).write_bytes(self.content)


@dataclass
class Tables:
    """The tables of a MariaDB database: name, statement that creates it, rows."""

    tables: Sequence[tuple[str, str, Sequence[Any]]]

    @classmethod
    def of(cls, engine: Engine) -> "Tables":
        found = []
        with engine.connect() as connection:
            for name in inspect(connection).get_table_names():
                rows = connection.exec_driver_sql(f"SELECT * FROM `{name}`").all()
                (created,) = connection.exec_driver_sql(f"SHOW CREATE TABLE `{name}`")
                found.append((name, created[1], [tuple(row) for row in rows]))
        return cls(found)

    def write(self, engine: Engine) -> None:
        with engine.begin() as connection:
            for name, created, rows in self.tables:
                connection.exec_driver_sql(created)
                for row in rows:
                    values = ", ".join(["%s"] * len(row))
                    connection.exec_driver_sql(f"INSERT INTO `{name}` VALUES ({values})", row)


_COPIES: dict[tuple[str, DatabaseName], Copy] = {}


def migrate(engine: Engine, name: DatabaseName) -> None:
    """Bring the database of *engine* to the newest version."""
    kind = engine.dialect.name, name
    if not _is_new(engine):
        migrations.upgrade(engine, name)
    elif copy := _COPIES.get(kind):
        copy.write(engine)
    else:
        migrations.upgrade(engine, name)
        _COPIES[kind] = File.of(engine) if engine.dialect.name == "sqlite" else Tables.of(engine)


def _is_new(engine: Engine) -> bool:
    if engine.dialect.name == "sqlite":
        return not _file(engine).exists()
    return not inspect(engine).get_table_names()


def _file(engine: Engine) -> Path:
    assert engine.url.database
    return Path(engine.url.database)
