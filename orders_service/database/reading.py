"""Reads rows with one statement. It needs no transaction, and can be repeated."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Engine, Row, Select
from sqlalchemy.exc import DBAPIError

from orders_service import runtime
from orders_service.database.hosts import SEVERAL

# A connection that was lost while idle fails at once. If it takes longer, the server hangs: then the query is
# repeated only if there is another host.
LOST_SECONDS = 1.0


def rows_of(engine: Engine, query: Select[Any], values: Mapping[str, Any]) -> Sequence[Row[Any]]:
    """The rows of *query* with these values. If the connection was lost, they are read on another one."""
    with _read_only(engine) as connection:
        began = runtime.monotonic()  # Not before: a busy pool may give a connection after a wait.
        try:
            return connection.execute(query, values).all()
        except DBAPIError as error:
            hangs = runtime.monotonic() - began > LOST_SECONDS
            several = engine.get_execution_options().get(SEVERAL)
            if not error.connection_invalidated or (hangs and not several):
                raise
    with _read_only(engine) as connection:
        return connection.execute(query, values).all()


def _read_only(engine: Engine) -> Connection:
    return engine.connect().execution_options(read_only=True)
