"""The sessions of `/admin`: it reads and changes both databases, one after the other."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from flask import current_app
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from orders_service import resources
from orders_service.api.database import db
from orders_service.processes import DATABASES, DatabaseName

T = TypeVar("T")


def session_of(database: DatabaseName) -> Session:
    """A new session of a database, for a `with` block."""
    return Session(_engine(database), expire_on_commit=False)


@contextmanager
def reading(database: DatabaseName) -> Iterator[Session]:
    """A read-only session of a database: it does not wait for SQLite's write lock."""
    with (
        _engine(database).connect().execution_options(read_only=True) as connection,
        Session(connection, expire_on_commit=False) as session,
    ):
        yield session


def separate() -> list[list[DatabaseName]]:
    """The names of each database. If orders and catalog share a database, it has both."""
    urls = resources.urls(current_app.config["SETTINGS"])
    return [[name for name in DATABASES if urls[name] == url] for url in dict.fromkeys(urls.values())]


def of_each(read: Callable[[Session], Sequence[T]]) -> tuple[list[T], str | None]:
    """The findings of *read* in each database, and a sentence that names the databases that do not answer."""
    found: list[T] = []
    problems = []
    for name, *_ in separate():
        try:
            with reading(name) as session:
                found += read(session)
        except SQLAlchemyError:
            problems.append(away(name))
    return found, " ".join(problems) or None


def away(database: DatabaseName) -> str:
    """The sentence for a part of an answer whose database could not be read."""
    return f"The {database} database does not answer."


def _engine(database: DatabaseName) -> Engine:
    return db.engines[None if database == "orders" else database]
