"""Engines, transactions, column types and time-outs for MariaDB and SQLite."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Literal, TypeVar

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Engine,
    Executable,
    Integer,
    String,
    create_engine,
    event,
)
from sqlalchemy.dialects.mysql import DATETIME, VARCHAR
from sqlalchemy.engine import Connection, CursorResult, make_url
from sqlalchemy.exc import DBAPIError, IntegrityError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import Session
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

from orders_service import crash_points, sessions
from orders_service.one_trip import OneTrip, SoonMade

CONNECT_SECONDS = 3
READ_SECONDS = 10  # For a socket write, too: the longest time that the network may stall.
LOCK_SECONDS = 5
POOL_SECONDS = 5
# How long a request waits for its order's commit. Shorter than the API's graceful shutdown.
COMMIT_SECONDS = 7
IDLE_TRANSACTION_SECONDS = 10  # A paused process would otherwise keep its row locks for hours.

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "pk": "pk_%(table_name)s",
}

# A value that the column cannot hold: out of range (1264), wrong (1366), too long (1406).
DATA_ERRORS = frozenset({1264, 1366, 1406})
# Conflicts with another transaction: row changed (1020), lock wait time-out (1205), deadlock (1213).
DISTURBED = frozenset({1020, 1205, 1213})

Clock = Callable[[], datetime]
DatabaseName = Literal["orders", "catalog"]
S = TypeVar("S", Session, Connection)
T = TypeVar("T")


def utc_now() -> datetime:
    """The default clock: the current time, in UTC."""
    return datetime.now(UTC)


def exact(length: int) -> TypeEngine[str]:
    """The type of a text column that is compared byte by byte, for all text but prose.

    MariaDB's default collation treats `CATALOG-001`, `catalog-001 ` and `CÁTALOG-001` as one key.
    """
    return String(length).with_variant(
        VARCHAR(length, charset="utf8mb4", collation="utf8mb4_nopad_bin"), "mysql", "mariadb"
    )


def row_number() -> TypeEngine[int]:
    """The type of a 64-bit auto-increment key. SQLite increments only a plain INTEGER."""
    return BigInteger().with_variant(Integer(), "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware in Python, UTC with microseconds in the column."""

    impl = DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        if value is None:
            return None
        return value.astimezone(UTC).replace(tzinfo=None) if dialect.name == "sqlite" else text_of(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


@lru_cache(maxsize=64)  # All rows of a batch have the same instant.
def text_of(instant: datetime) -> str:
    """Format *instant* as both databases read it. PyMySQL would format it again for each row."""
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


class database_now(FunctionElement[datetime]):
    """The current time plus *seconds* by the database's clock, the one clock that all processes share."""

    type = UtcDateTime()
    inherit_cache = False

    def __init__(self, seconds: float = 0) -> None:
        super().__init__()
        self.seconds = float(seconds)


@compiles(database_now, "mysql", "mariadb")
def _now_in_mariadb(element: database_now, compiler: SQLCompiler, **_: Any) -> str:
    return f"UTC_TIMESTAMP(6) + INTERVAL {element.seconds:.6f} SECOND"


@compiles(database_now, "sqlite")
def _now_in_sqlite(element: database_now, compiler: SQLCompiler, **_: Any) -> str:
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', '{element.seconds:+.3f} seconds')"


def open_engine(
    url: str,
    *,
    pool_size: int = 5,
    read_seconds: int | None = READ_SECONDS,
    one_trip: bool = False,
    autocommit: bool = False,
) -> Engine:
    """An engine with a time-out on every wait and a pool of at most *pool_size* connections.

    With *read_seconds* None a statement has no time-out, as DDL on a large table needs. With *one_trip* a
    transaction's INSERTs are sent together with its COMMIT, and the pool does not ping a connection before
    use, so the caller must be able to repeat a transaction whose connection was lost. With *autocommit* each
    statement is a transaction (not on SQLite).
    """
    if make_url(url).get_backend_name() == "sqlite":
        return _open_sqlite(url, pool_size)
    engine = create_engine(
        url,
        isolation_level="READ COMMITTED",
        paramstyle="format",  # PyMySQL formats positional parameters faster than named ones.
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        pool_pre_ping=not one_trip,
        pool_reset_on_return=None,  # `sessions.watch` rolls back instead, and only an open transaction.
        pool_recycle=600,
        connect_args={
            "connect_timeout": CONNECT_SECONDS,
            "read_timeout": read_seconds,
            "write_timeout": read_seconds,
            "charset": "utf8mb4",
            "conv": sessions.CONVERSIONS,
            "init_command": sessions.init_command(
                lock_seconds=LOCK_SECONDS, idle_seconds=IDLE_TRANSACTION_SECONDS
            ),
        },
    )
    sessions.watch(engine, OneTrip if one_trip else SoonMade, autocommit=autocommit)
    sessions.speak_shortly(engine)
    return engine


def _open_sqlite(url: str, pool_size: int) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=POOL_SECONDS,
        connect_args={"timeout": LOCK_SECONDS},
    )
    sessions.speak_shortly(engine)

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _: object) -> None:
        connection.isolation_level = None  # The driver begins no transaction by itself; `on_begin` does.
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
        except BaseException:
            connection.close()  # SQLAlchemy does not know this connection yet, so it would stay open.
            raise

    # Without IMMEDIATE a transaction that reads first and writes later fails, or loses an update, if another
    # one writes in between.
    @event.listens_for(engine, "begin")
    def on_begin(connection: Connection) -> None:
        read_only = connection.get_execution_options().get("read_only", False)
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")

    return engine


def in_transaction(
    session: S,
    work: Callable[[S], T],
    *,
    again: Callable[[S], T] | None = None,
    attempts: int = 5,
) -> T:
    """Do *work* and commit it; after a conflict with another transaction, roll back and retry.

    A lost connection is retried, too. It leaves unknown whether the first attempt was committed, so *again*
    replaces *work* from the second attempt on. Any other error is raised after the roll-back, and so is a
    conflict in the last attempt, or more than `LOCK_SECONDS` after the start.
    """
    # Do not retry after a long lock wait: the caller should back off, or answer its client, first.
    enough = time.monotonic() + LOCK_SECONDS
    for attempt in range(1, attempts + 1):
        try:
            result = (again or work)(session) if attempt > 1 else work(session)
            crash_points.at("transaction.written")
            session.commit()
        except DBAPIError as error:
            _roll_back(session)
            if attempt == attempts or not is_disturbance(error) or time.monotonic() > enough:
                raise
            time.sleep(random.uniform(0.001, 0.01) * 2**attempt)
        except BaseException:
            _roll_back(session)
            raise
        else:
            crash_points.at("transaction.committed")
            return result
    raise AssertionError("attempts must be at least 1")


def _roll_back(session: Session | Connection) -> None:
    session.rollback()
    if isinstance(session, Connection) and not session.invalidated:
        # After a failed COMMIT SQLAlchemy sends no ROLLBACK. A session's connection goes back to the pool,
        # which sends one.
        try:
            session.dialect.do_rollback(session.connection)
        except Exception as error:
            session.invalidate(error)


def changed(session: Session | Connection, statement: Executable) -> int:
    """Execute *statement*, an UPDATE or DELETE. Returns the number of rows that it matched."""
    result = session.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(result, CursorResult)
    return result.rowcount


def is_disturbance(error: DBAPIError) -> bool:
    """Whether the same transaction may well succeed if it is retried at once."""
    return (
        error.connection_invalidated
        or isinstance(error, IntegrityError)  # The same key was committed first; the retry reads its row.
        or error_code(error) in DISTURBED
        or "database is locked" in str(error.orig)
    )


def error_code(error: DBAPIError) -> int | None:
    """MariaDB's error number, or None."""
    return sessions.code_of(error.orig)


def in_short(error: Exception) -> str:
    """The database's own error message, without the statement."""
    return str(error.orig if isinstance(error, DBAPIError) else error)
