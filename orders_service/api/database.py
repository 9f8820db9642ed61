"""The database session of a request: Flask-SQLAlchemy, with a bind key for the catalog's tables."""

from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Session

from orders_service import resources
from orders_service.database import bounds
from orders_service.database.engines import open_engine
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
        several = parse(url).has_several_hosts
        seconds = bounds.HOST_READ_SECONDS if several else bounds.READ_SECONDS
        if bind_key == COMMITTER:
            return open_engine(url, pool_size=1, one_trip=True, read_seconds=seconds)
        if bind_key == WATCHER:
            return open_engine(url, pool_size=1, one_trip=True, autocommit=True, read_seconds=seconds)
        is_reader = bind_key == READER
        briefly = is_reader and not several
        return open_engine(
            url,
            pool_size=settings.api_threads,
            pool_seconds=bounds.API_POOL_SECONDS if briefly else bounds.POOL_SECONDS,
            read_seconds=seconds,
            one_trip=is_reader,
            autocommit=is_reader,
        )


db = Database(session_options={"expire_on_commit": False})


def read_only_session(model: type[DeclarativeBase]) -> Session:
    """The request's session, read-only, on *model*'s database: it does not wait for SQLite's write lock."""
    session = db.session()
    session.connection(bind_arguments={"mapper": model}, execution_options={"read_only": True})
    return session
