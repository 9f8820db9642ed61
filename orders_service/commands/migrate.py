"""`migrate`: upgrades both databases to the newest version."""

from collections.abc import Iterator
from contextlib import contextmanager

import click
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from orders_service import migrations, resources
from orders_service.commands.foreign_tables import NotOurs, assert_ours
from orders_service.database.engines import open_engine
from orders_service.database.errors import in_short
from orders_service.processes import DatabaseName
from orders_service.settings import Settings, of_process


@click.command("migrate")
def main() -> None:
    """Create or upgrade the tables of both databases.

    Safe to repeat, and to run twice at the same time.
    """
    for line in migrate(of_process("migrate")):
        click.echo(line)


def migrate(settings: Settings) -> list[str]:
    """Migrate both databases and return one line for each that says what was done.

    If one holds another service's tables, an error is raised before either is changed.
    """
    for database, url in resources.urls(settings).items():
        with (
            _engine(database, url) as engine,
            migrations.turn(engine, database),  # Waits until no other process is migrating.
            engine.connect() as connection,
        ):
            assert_ours(connection, database)
    lines = []
    for database, url in resources.urls(settings).items():
        with _engine(database, url) as engine:
            applied = migrations.upgrade(engine, database)
        version = migrations.newest(database)
        lines.append(
            f"{database}: {', '.join(applied)} applied" if applied else f"{database}: already at {version}"
        )
    return lines


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
