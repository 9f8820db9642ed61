"""The request's session: Flask-SQLAlchemy on our engines, the catalog's tables by their bind key."""

from typing import Any

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Engine
from sqlalchemy.orm import DeclarativeBase, Session

from orders_service import wiring

COMMITTER = "committer"


class Database(SQLAlchemy):
    """Flask-SQLAlchemy with engines of ours: same settings and time-outs as everywhere."""

    def _make_engine(self, bind_key: str | None, options: dict[str, Any], app: Flask) -> Engine:
        url = app.config["SQLALCHEMY_BINDS"][bind_key]
        if bind_key == COMMITTER:
            return wiring.engine(url, pool_size=1, one_trip=True)
        return wiring.engine(url, pool_size=app.config["SETTINGS"].api_threads)


db = Database(session_options={"expire_on_commit": False})


def reading(model: type[DeclarativeBase]) -> Session:
    """The request's session, to read *model*'s database and no more: SQLite then waits for no writer."""
    session = db.session()
    session.connection(bind_arguments={"mapper": model}, execution_options={"read_only": True})
    return session
