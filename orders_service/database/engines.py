"""Engines and sessions with bounded waits, for MariaDB and SQLite."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Engine,
    create_engine,
    event,
)
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session, sessionmaker

from orders_service.database import bounds, sessions
from orders_service.database.fair_pool import FairPool
from orders_service.database.hosts import hosts_of
from orders_service.database.one_trip import BufferedConnection, GuardedConnection
from orders_service.database_url import DatabaseUrl, parse


def open_engine(
    url: str,
    *,
    pool_size: int = 5,
    pool_seconds: int = bounds.POOL_SECONDS,
    read_seconds: int | None = bounds.READ_SECONDS,
    one_trip: bool = False,
    autocommit: bool = False,
    create: bool = False,
) -> Engine:
    """An engine with a time-out on every wait and a pool of at most *pool_size* connections.

    A caller waits at most *pool_seconds* for a free connection. With *read_seconds* None a statement has no
    time-out, as DDL on a large table needs. With *one_trip* a transaction's INSERTs are sent together with
    its COMMIT, and the pool does not ping a connection before use, so the caller must be able to repeat a
    transaction whose connection was lost. With *autocommit* each statement is a transaction (not on SQLite).
    With *create*, a missing SQLite file and its folder are created; otherwise `FileNotFoundError` is raised.
    """
    pool = {
        "poolclass": FairPool,
        "pool_size": pool_size,
        "max_overflow": 0,
        "pool_timeout": pool_seconds,
    }
    parsed = parse(url)
    if not parsed.is_sqlite:
        return _open_mariadb(
            parsed, pool, read_seconds=read_seconds, one_trip=one_trip, autocommit=autocommit
        )
    if not create:
        require_file(url)
    elif path := _sqlite_file(url):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    return _open_sqlite(url, pool)


def require_file(url: str) -> None:
    """Raise `FileNotFoundError` for a missing SQLite file: opening it would create an empty one."""
    path = _sqlite_file(url)
    if path and not path.exists():
        raise FileNotFoundError(f"database {path} does not exist. Create it with: orders-service migrate")


def session_maker(url: str, *, read_seconds: int = bounds.READ_SECONDS) -> sessionmaker[Session]:
    """A session factory for one thread. Its INSERTs cannot return generated keys."""
    engine = open_engine(url, pool_size=2, read_seconds=read_seconds, one_trip=True)
    return sessionmaker(engine, expire_on_commit=False)


def worker_sessions(url: str) -> sessionmaker[Session]:
    """The sessions of a consumer."""
    return session_maker(url, read_seconds=reply_seconds(url))


@contextmanager
def one_session(url: str) -> Iterator[Session]:
    """A session for a command: its connections are closed when the block ends."""
    maker = session_maker(url)
    try:
        with maker() as session:
            yield session
    finally:
        maker.kw["bind"].dispose()


def open_relay_engine(url: str) -> Engine:
    """An engine for a relay, in autocommit mode: none of its transactions has more than one statement."""
    return open_engine(url, pool_size=2, read_seconds=reply_seconds(url), one_trip=True, autocommit=True)


def reply_seconds(url: str) -> int:
    """The time-out for a reply. With several hosts, one that hangs must be left soon."""
    return bounds.HOST_READ_SECONDS if parse(url).has_several_hosts else bounds.READ_SECONDS


def _open_mariadb(
    url: DatabaseUrl, pool: dict[str, Any], *, read_seconds: int | None, one_trip: bool, autocommit: bool
) -> Engine:
    engine = create_engine(
        url.first,
        isolation_level="READ COMMITTED",
        paramstyle="format",  # PyMySQL formats positional parameters faster than named ones.
        hide_parameters=True,
        pool_pre_ping=not one_trip,
        pool_reset_on_return=None,  # `use_guarded_connections` rolls back, and only an open transaction.
        pool_recycle=600,
        **pool,
        connect_args={
            "connect_timeout": bounds.CONNECT_SECONDS,
            "read_timeout": read_seconds,
            "write_timeout": read_seconds,
            "charset": "utf8mb4",
            "conv": sessions.CONVERSIONS,
            "init_command": sessions.init_command(
                lock_seconds=_lock_seconds(read_seconds),
                idle_seconds=bounds.IDLE_TRANSACTION_SECONDS,
                statement_seconds=_statement_seconds(read_seconds) if autocommit else 0,
            ),
        },
    )
    sessions.use_guarded_connections(
        engine,
        BufferedConnection if one_trip else GuardedConnection,
        autocommit=autocommit,
        hosts=hosts_of(url) if url.has_several_hosts else None,
    )
    if url.has_several_hosts:
        sessions.follow_hosts(engine)
    sessions.hide_values_in_errors(engine)
    return engine


def _lock_seconds(read_seconds: int | None) -> int:
    """The time-out for a lock, which ends before that of the reply: a server with locks does not hang."""
    if read_seconds is None or read_seconds >= bounds.READ_SECONDS:
        return bounds.LOCK_SECONDS
    return read_seconds - 1


def _statement_seconds(read_seconds: int | None) -> float:
    """How long the server works on a statement. Otherwise a slow one would look like a server that hangs.

    Only for engines whose statements are transactions: a COMMIT that is ended has an unknown outcome.
    """
    return read_seconds - 0.5 if read_seconds else 0


def _open_sqlite(url: str, pool: dict[str, Any]) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": bounds.LOCK_SECONDS},
        **pool,
    )
    sessions.hide_values_in_errors(engine)

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


def _sqlite_file(url: str) -> Path | None:
    parsed = parse(url)
    return Path(parsed.first.database) if parsed.is_sqlite and parsed.first.database else None
