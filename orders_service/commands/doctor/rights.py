"""The check of the rights of a database user."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from sqlalchemy import Table, delete, false, insert, select, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from orders_service.commands.doctor.finding import Finding, away, fine, wrong
from orders_service.database.errors import error_code, is_worth_a_retry
from orders_service.database.sessions import DENIED, REFUSED


def check(
    session: Callable[[], AbstractContextManager[Session]], tables: Iterable[Table], url: URL
) -> Finding:
    """Whether the user of *url* may read and write *tables*. Each statement is run, but touches no row.

    So roles, grants with patterns and a read-only server are taken into account.
    """
    for table in tables:
        for statement in _every_right(table):
            try:
                with session() as asked:
                    asked.execute(statement)
            except DBAPIError as error:
                if error_code(error) not in DENIED | REFUSED and is_worth_a_retry(error):
                    return away(
                        str(error.orig), "another process keeps the database locked: run doctor again later"
                    )
                if error_code(error) in REFUSED:
                    return wrong(
                        f"{table.name}: {error.orig}",
                        "make this server writable, or name another one in the URL",
                    )
                is_sqlite = url.get_backend_name() == "sqlite"
                grant = f"GRANT SELECT, INSERT, UPDATE, DELETE ON {url.database}.* TO {url.username}"
                return wrong(
                    f"{table.name}: {error.orig}",
                    "check that this user can write to the file" if is_sqlite else grant,
                )
    return fine("SELECT, INSERT, UPDATE, DELETE")


def _every_right(table: Table) -> Iterator[Any]:
    yield select(table).where(false())
    yield insert(table).from_select([c.name for c in table.columns], select(table).where(false()))
    yield update(table).where(false()).values({column: column for column in list(table.primary_key)[:1]})
    yield delete(table).where(false())
