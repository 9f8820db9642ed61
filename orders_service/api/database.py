"""The database session of a request: Flask-SQLAlchemy, with a bind key for the catalog's tables."""

from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Session

from orders_service import resources
from orders_service.database import bounds
from orders_service.database.engines import open_engine, reply_seconds
from orders_service.database_url import parse
from orders_service.settings import Settings

CHECKED = "3.1.1"  # The version of Flask-SQLAlchemy whose private `_make_engine` is overridden below.
COMMITTER = "committer"
WATCHER = "watcher"
# It reads orders, each statement in autocommit mode: a transaction would need two more round trips.
READER = "reader"
CATALOG = "catalog"


class Database(SQLAlchemy):
    """Flask-SQLAlchemy with engines from `database/engines.py`: the same time-outs as in every process."""

    def _make_engine(self, bind_key: str | None, options: dict[str, Any], app: Flask) -> Engine:
        settings: Settings = app.config["SETTINGS"]
        url = resources.url(settings, "catalog" if bind_key == CATALOG else "orders")
        read_seconds, threads = reply_seconds(url), settings.api_threads
        if bind_key == COMMITTER:
            return open_engine(url, pool_size=1, one_trip=True, read_seconds=read_seconds)
        if bind_key == WATCHER:
            return _open_reader(url, pool_size=1, pool_seconds=bounds.POOL_SECONDS)
        if bind_key == READER:
            several = parse(url).has_several_hosts
            seconds = bounds.POOL_SECONDS if several else bounds.API_POOL_SECONDS
            return _open_reader(url, pool_size=threads, pool_seconds=seconds)
        seconds = bounds.POOL_SECONDS
        return open_engine(url, pool_size=threads, pool_seconds=seconds, read_seconds=read_seconds)


def _open_reader(url: str, *, pool_size: int, pool_seconds: int) -> Engine:
    return open_engine(
        url,
        pool_size=pool_size,
        pool_seconds=pool_seconds,
        read_seconds=reply_seconds(url),
        one_trip=True,
        autocommit=True,
    )


db = Database(session_options={"expire_on_commit": False})


def read_only_session(model: type[DeclarativeBase]) -> Session:
    """The request's session, read-only, on *model*'s database: it does not wait for SQLite's write lock."""
    session = db.session()
    session.connection(bind_arguments={"mapper": model}, execution_options={"read_only": True})
    return session
