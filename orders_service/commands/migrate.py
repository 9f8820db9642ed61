"""`migrate`: upgrades both databases to the newest version."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import click
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from orders_service import migrations, resources
from orders_service.commands.foreign_tables import NotOurs, assert_ours
from orders_service.commands.output import print_json
from orders_service.database.engines import open_engine
from orders_service.database.errors import in_short
from orders_service.processes import DatabaseName
from orders_service.settings import Settings, of_process


@click.command("migrate")
@click.option("--json", "as_json", is_flag=True, help="Print JSON for a script.")
def main(as_json: bool) -> None:
    """Create or upgrade the tables of both databases.

    Safe to repeat, and to run twice at the same time.
    """
    done = migrate(of_process("migrate"))
    if as_json:
        print_json(map(dataclasses.asdict, done))
        return
    for each in done:
        click.echo(each)


@dataclass(frozen=True)
class Migrated:
    """The result of migrating a database. As text: one line for people."""

    database: DatabaseName
    applied: list[str]
    version: str

    def __str__(self) -> str:
        if not self.applied:
            return f"{self.database}: already at {self.version}"
        return f"{self.database}: {', '.join(self.applied)} applied"


def migrate(settings: Settings) -> list[Migrated]:
    """Migrate both databases and return what was done to each.

    If one holds another service's tables, an error is raised before either is changed.
    """
    for database, url in resources.urls(settings).items():
        with (
            _engine(database, url) as engine,
            migrations.turn(engine, database),  # Waits until no other process is migrating.
            engine.connect() as connection,
        ):
            assert_ours(connection, database)
    done = []
    for database, url in resources.urls(settings).items():
        with _engine(database, url) as engine:
            applied = migrations.upgrade(engine, database)
        done.append(Migrated(database, applied, migrations.newest(database)))
    return done


@contextmanager
def _engine(database: DatabaseName, url: str) -> Iterator[Engine]:
    """An engine without a read time-out. Its errors become click errors that name the database."""
    engine = open_engine(url, read_seconds=None, create=True)
    try:
        yield engine
    except (DBAPIError, TimeoutError, NotOurs) as error:
        problem = f"{database} database ({engine.url!r}): {in_short(error)}"
        raise click.ClickException(problem) from error
    finally:
        engine.dispose()
