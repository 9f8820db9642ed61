"""Rows that are read with one statement, and read again if the connection was lost."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event, select, text
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import OperationalError

from orders_service.database import reading
from orders_service.database.engines import open_engine
from orders_service.database.reading import rows_of

MISSING = select(text("1 FROM nothing"))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    """An engine that takes every error for a lost connection."""
    opened = open_engine(f"sqlite:///{tmp_path}/some.db", pool_size=1, create=True)

    @event.listens_for(opened, "handle_error")
    def on_error(context: ExceptionContext) -> None:
        context.is_disconnect = True

    yield opened
    opened.dispose()


def test_a_wait_for_the_pool_is_no_wait_for_the_server(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "LOST_SECONDS", 0.5)
    statements: list[str] = []
    event.listen(engine, "handle_error", lambda context: statements.append(context.statement))
    connection = engine.connect()
    threading.Timer(0.7, connection.close).start()

    with pytest.raises(OperationalError):
        rows_of(engine, MISSING, {})

    assert len(statements) == 2
