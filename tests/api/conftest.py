"""The API on SQLite and on the real MariaDB."""

import socket
from collections.abc import Iterator

import pytest

from rig.databases import Databases
from tests.api.kit import Api


@pytest.fixture(scope="package", params=["sqlite", pytest.param("mariadb", marks=pytest.mark.real)])
def shared_api(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API that many tests use one after the other; `api` is the same without orders."""
    if request.param == "sqlite":
        folder = tmp_path_factory.mktemp("api")
        databases = Databases(f"sqlite:///{folder}/orders.db", f"sqlite:///{folder}/catalog.db")
    else:
        mariadb = request.getfixturevalue("lab").mariadb
        databases = Databases.on(mariadb, "api")
    databases.migrate()
    shared = Api.on(databases)
    yield shared
    shared.close()
    databases.dispose()


@pytest.fixture
def api(shared_api: Api) -> Api:
    """An API without orders. What a test does to its tables or its engines would stay: see `own_api`."""
    shared_api.empty()
    return shared_api


@pytest.fixture
def own_api(databases: Databases) -> Iterator[Api]:
    """An API of this test alone, whose databases and engines it may spoil."""
    own = Api.on(databases)
    yield own
    own.close()


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port that refuses connections: it is taken, and nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def away(closed_port: int) -> str:
    """The URL of a database that does not answer."""
    return f"mariadb+pymysql://kim:secret@127.0.0.1:{closed_port}/away"
