"""The settings of each MariaDB session, and the handling of its errors."""

import re
from typing import Any

import pymysql
from pymysql.constants.SERVER_STATUS import SERVER_STATUS_IN_TRANS
from pymysql.converters import conversions
from sqlalchemy import Dialect, Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DisconnectionError, StatementError
from sqlalchemy.pool import PoolResetState

from orders_service.database import bounds
from orders_service.database.hosts import SEVERAL, Hosts, connecting
from orders_service.database.one_trip import SESSION_MARK, SQL_MODE, GuardedConnection
from orders_service.database_url import Host

HANDSHAKE_SECONDS = 10  # For a server that accepts a connection but does not answer.

# A missing privilege on the database, a table or a column. A new connection sees later grants.
DENIED = frozenset({1044, 1142, 1143})
# A syntax error: our statements are fixed, so the session must have lost the SQL mode that we set.
IN_ANOTHER_MODE = frozenset({1064})
FORBIDDEN = DENIED | IN_ANOTHER_MODE
# The server does not do its work now, but another one may: a Galera node that is not ready (1047) or fell out
# of the cluster during a COMMIT (1180, whose outcome is unknown), a read-only server (1290, 1836).
REFUSED = frozenset({1047, 1180, 1290, 1836})
# Errors whose text quotes a value: duplicate entry, truncated or incorrect values.
WITH_A_VALUE = frozenset({1062, 1292, 1366, 1367, 1411, 1586})
A_VALUE = re.compile(r"'(?:[^']|'(?! for | at row))*'", re.DOTALL)

# PyMySQL would treat a value of an unknown type as text. Without a converter for `str` it raises an error.
CONVERSIONS = {key: value for key, value in conversions.items() if key is not str}


def init_command(*, lock_seconds: float, idle_seconds: float, statement_seconds: float) -> str:
    """The first statement of a session. It sets the whole SQL mode, which decides what SQL means.

    With 0 seconds a statement may last for ever.
    """
    settings = {
        "time_zone": "'+00:00'",
        "sql_mode": f"'{SQL_MODE}'",
        "innodb_lock_wait_timeout": lock_seconds,
        "idle_transaction_timeout": idle_seconds,
        "max_statement_time": statement_seconds,
        SESSION_MARK: 1,
    }
    return "SET " + ", ".join(f"{name}={value}" for name, value in settings.items())


def _connect(
    kind: type[GuardedConnection], arguments: Any, options: Any, handshake_seconds: float | None = None
) -> GuardedConnection:
    """Open a connection with a time-out for the handshake, even if its statements have none."""
    password, seconds = options.get("password"), options.get("read_timeout")
    if isinstance(password, str):
        password = password.encode()  # PyMySQL would encode it as Latin-1; MariaDB compares UTF-8.
    handshake = handshake_seconds or seconds or HANDSHAKE_SECONDS
    with connecting():
        connection = kind(*arguments, **options | {"password": password, "read_timeout": handshake})
    connection.limit_reads(seconds)
    return connection


def _connect_to_one(
    hosts: Hosts, kind: type[GuardedConnection], arguments: Any, options: Any
) -> GuardedConnection:
    """Open a connection to one of *hosts*, each of which has a short time to answer."""
    brief = options | {"connect_timeout": bounds.HOST_SECONDS}

    def open_one(host: Host) -> GuardedConnection:
        place = {"host": host.name, "port": host.port}
        return _connect(kind, arguments, brief | place, bounds.HOST_SECONDS)

    return hosts.connect(open_one)


def use_guarded_connections(
    engine: Engine, kind: type[GuardedConnection], *, autocommit: bool, hosts: Hosts | None = None
) -> None:
    """Let *engine* open connections of class *kind*, reset them, and drop them after certain errors.

    With *hosts* it connects to one of these, instead of the host in the engine's URL.
    """

    @event.listens_for(engine, "reset")
    def on_reset(connection: Any, _: object, state: PoolResetState) -> None:
        if not state.terminate_only and connection.server_status & SERVER_STATUS_IN_TRANS:
            connection.rollback()

    @event.listens_for(engine, "do_connect")
    def on_connect(_: Dialect, __: object, arguments: Any, options: Any) -> GuardedConnection:
        if hosts:
            return _connect_to_one(hosts, kind, arguments, options)
        return _connect(kind, arguments, options)

    if autocommit:

        @event.listens_for(engine, "connect")
        def on_connected(connection: pymysql.Connection, _: object) -> None:
            connection.autocommit(True)

    @event.listens_for(engine, "handle_error")
    def on_error(context: ExceptionContext) -> None:
        if code_of(context.original_exception) in FORBIDDEN | REFUSED:
            context.is_disconnect = True


def follow_hosts(engine: Engine) -> None:
    """Let the connections of *engine*, which has several hosts, follow the process to its current host."""
    engine.update_execution_options(**{SEVERAL: True})

    @event.listens_for(engine, "checkout")
    def on_checkout(connection: Any, _: object, __: object) -> None:
        try:
            connection.place.require_current()
        except pymysql.Error as error:
            raise DisconnectionError(str(error)) from error

    @event.listens_for(engine, "handle_error")
    def on_error(context: ExceptionContext) -> None:
        error = context.original_exception
        # PyMySQL's error for a reply that did not come in time was raised while it handled the time-out.
        is_late = isinstance(error.__context__, TimeoutError)
        if context.connection and (is_late or code_of(error) in REFUSED):
            connection = context.connection.connection.dbapi_connection
            if isinstance(connection, GuardedConnection) and connection.place:
                connection.place.fail(str(error.args[-1]))


def hide_values_in_errors(engine: Engine) -> None:
    """Keep statements, parameters and values out of the error messages and tracebacks of *engine*."""

    @event.listens_for(engine, "handle_error")
    def on_error(context: ExceptionContext) -> None:
        error, shown = context.original_exception, context.sqlalchemy_exception
        if code_of(error) in WITH_A_VALUE and len(error.args) > 1:
            error.args = (error.args[0], A_VALUE.sub("'…'", str(error.args[1]), count=1), *error.args[2:])
        if isinstance(shown, StatementError):
            shown.statement = shown.params = shown.code = None
            shown.args = (f"({type(error).__module__}.{type(error).__qualname__}) {error}",)


def code_of(error: BaseException | None) -> int | None:
    """MariaDB's error number, or None."""
    arguments = error.args if error is not None else ()
    return arguments[0] if arguments and isinstance(arguments[0], int) else None
