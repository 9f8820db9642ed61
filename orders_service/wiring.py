"""From settings to the parts that a process is made of."""

import os
import secrets
import socket
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session, sessionmaker

from orders_service.database import READ_SECONDS, DatabaseName, open_engine
from orders_service.events.contract import Topics
from orders_service.events.outbox import Outbox
from orders_service.settings import Settings


def engine(
    url: str,
    *,
    pool_size: int = 5,
    read_seconds: int | None = READ_SECONDS,
    one_trip: bool = False,
    autocommit: bool = False,
) -> Engine:
    """An engine for *url*; the folder of an SQLite file is made. See `open_engine`."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    return open_engine(
        url, pool_size=pool_size, read_seconds=read_seconds, one_trip=one_trip, autocommit=autocommit
    )


def sessions(url: str) -> sessionmaker[Session]:
    """Sessions for whoever has one thread, and asks for no number that an INSERT gave."""
    return sessionmaker(engine(url, pool_size=2, one_trip=True), expire_on_commit=False)


def relay_engine(url: str) -> Engine:
    """An engine for a relay, whose statements are transactions by themselves."""
    return engine(url, pool_size=2, one_trip=True, autocommit=True)


def urls(settings: Settings) -> dict[DatabaseName, str]:
    """Both databases by their names."""
    return {"orders": settings.orders_database_url, "catalog": settings.catalog_database_url}


def topics(settings: Settings) -> Topics:
    """Which topic carries what."""
    return Topics(
        catalog=settings.catalog_topic, stock=settings.stock_topic, sink=settings.orders_sink_topic or None
    )


def orders_outbox(settings: Settings) -> Outbox:
    """Where the orders record their events."""
    return Outbox("/order-service", topics(settings), pending=settings.events_via == "relay")


def catalog_outbox(settings: Settings) -> Outbox:
    """Where the catalog records its answers."""
    return Outbox("/catalog-service", topics(settings))


def owner() -> str:
    """A name for this process among all that share a database."""
    return f"{socket.gethostname()[:80]}:{os.getpid()}:{secrets.token_hex(4)}"
