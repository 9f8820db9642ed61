"""Builds the parts of a process from the settings: engines, sessions, topics, outboxes."""

import os
import secrets
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

from orders_service.database import READ_SECONDS, DatabaseName, error_code, open_engine
from orders_service.events.contract import Topics
from orders_service.events.outbox import Outbox
from orders_service.settings import Settings

NOT_MIGRATED = frozenset({1054, 1146})  # MariaDB's numbers for a missing column and a missing table.


def engine(
    url: str,
    *,
    pool_size: int = 5,
    read_seconds: int | None = READ_SECONDS,
    one_trip: bool = False,
    autocommit: bool = False,
    create: bool = False,
) -> Engine:
    """An engine for *url*. See `open_engine`.

    With *create*, a missing SQLite file and its folder are created; otherwise `FileNotFoundError` is raised.
    """
    if create:
        if path := _sqlite_file(url):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    else:
        assert_created(url)
    return open_engine(
        url, pool_size=pool_size, read_seconds=read_seconds, one_trip=one_trip, autocommit=autocommit
    )


def assert_created(url: str) -> None:
    """Raise `FileNotFoundError` for a missing SQLite file: opening it would create an empty one."""
    path = _sqlite_file(url)
    if path and not path.exists():
        raise FileNotFoundError(f"there is no database {path}. Create it with: orders-service migrate")


def is_not_migrated(error: Exception) -> bool:
    """Whether the error is a missing table or column, which `orders-service migrate` would create."""
    if not isinstance(error, DBAPIError):
        return False
    return error_code(error) in NOT_MIGRATED or "no such " in str(error.orig)


def _sqlite_file(url: str) -> Path | None:
    parsed = make_url(url)
    is_file = parsed.get_backend_name() == "sqlite" and parsed.database
    return Path(parsed.database) if is_file and parsed.database else None


def sessions(url: str) -> sessionmaker[Session]:
    """A session factory for a single thread that needs no generated key of an INSERT."""
    return sessionmaker(engine(url, pool_size=2, one_trip=True), expire_on_commit=False)


@contextmanager
def one_session(url: str) -> Iterator[Session]:
    """A session for a command: its connections are closed when the block ends."""
    maker = sessions(url)
    try:
        with maker() as session:
            yield session
    finally:
        maker.kw["bind"].dispose()


def relay_engine(url: str) -> Engine:
    """An engine in autocommit mode, for a relay."""
    return engine(url, pool_size=2, one_trip=True, autocommit=True)


def urls(settings: Settings) -> dict[DatabaseName, str]:
    """The URLs of both databases, by database name."""
    return {"orders": settings.orders_database_url, "catalog": settings.catalog_database_url}


def topics(settings: Settings) -> Topics:
    """The topic of each kind of event."""
    return Topics(
        catalog=settings.catalog_topic, stock=settings.stock_topic, sink=settings.orders_sink_topic or None
    )


def orders_outbox(settings: Settings) -> Outbox:
    """The outbox of the orders."""
    return Outbox("/order-service", topics(settings), pending=settings.events_via == "relay")


def catalog_outbox(settings: Settings) -> Outbox:
    """The outbox of the catalog, for its answers."""
    return Outbox("/catalog-service", topics(settings))


def owner() -> str:
    """A name for this process that is unique among all that share a database."""
    return f"{socket.gethostname()[:80]}:{os.getpid()}:{secrets.token_hex(4)}"
