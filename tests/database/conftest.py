"""Servers and engines on which rows, transactions and statements are tried."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine

from lab import Ports
from lab.database_server import DatabaseServer
from lab.server import within
from orders_service.database.engines import open_engine
from rig.databases import Databases
from tests.database.resets import Older
from tests.database.things import Base


@pytest.fixture(scope="session", params=["as the lab's", "10.11"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[DatabaseServer]:
    """The lab's MariaDB and, once more, the oldest that we support."""
    if request.param == "as the lab's":
        yield request.getfixturevalue("lab").mariadb
        return
    older = Older(tmp_path_factory.mktemp("older"), Ports.free())
    older.start()
    assert within(60, older.answers), older.last_words()
    with older.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT version()")
        assert str(cursor.fetchone()[0]).startswith("10.11")  # type: ignore[index]
    yield older
    older.stop()


@pytest.fixture(params=[False, True], ids=["plain", "one trip"])
def engine(databases: Databases, request: pytest.FixtureRequest) -> Iterator[Engine]:
    found = open_engine(databases.orders_url, pool_size=1, one_trip=request.param)
    Base.metadata.create_all(found)
    yield found
    found.dispose()
