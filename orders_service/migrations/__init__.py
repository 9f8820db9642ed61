"""The Alembic migrations of both databases. Tests and `run` apply the same ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, text

from orders_service.processes import DatabaseName

FOLDER = Path(__file__).parent
TURN_SECONDS = 60  # How long a migration waits for another one that is running.
LOCK_SECONDS = 5  # How long DDL waits for a table in use. Meanwhile every order waits behind the DDL.


def upgrade(engine: Engine, database: DatabaseName, *, to: str = "head") -> list[str]:
    """Migrate the database to its newest version, or to version *to*.

    Returns the versions that were applied, oldest first.
    """
    with turn(engine, database), engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            connection.execute(text(f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}"))
        config = _config(connection, database)
        command.upgrade(config, to)
        connection.commit()
        return list(config.attributes["applied"])


def current(connection: Connection) -> str | None:
    """The version of a database; None if it was never migrated."""
    return MigrationContext.configure(connection).get_current_revision()


def newest(database: DatabaseName) -> str:
    """The version that this code needs."""
    head = _versions(database).get_current_head()
    assert head is not None
    return head


def knows(database: DatabaseName, version: str) -> bool:
    """Whether this code has a migration of that version."""
    return version in {script.revision for script in _versions(database).walk_revisions()}


def _versions(database: DatabaseName) -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(None, database))


def _config(connection: Connection | None, database: DatabaseName) -> Config:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    config.set_main_option("version_locations", str(FOLDER / database))
    config.attributes.update(connection=connection, applied=[])
    return config


@contextmanager
def turn(engine: Engine, database: DatabaseName) -> Iterator[None]:
    """Hold a lock, so that one migration at a time runs on a MariaDB database.

    MariaDB's DDL is not transactional; SQLite's is, and needs no lock.
    """
    if engine.dialect.name == "sqlite":
        yield
        return
    name = f"orders-service-migrate-{database}"
    with engine.connect() as connection:
        granted = connection.execute(
            text("SELECT GET_LOCK(:name, :seconds)"), {"name": name, "seconds": TURN_SECONDS}
        )
        if granted.scalar() != 1:
            raise TimeoutError(f"another migration of {database} is still running after {TURN_SECONDS} s")
        connection.commit()
        try:
            yield
        finally:
            connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": name})
