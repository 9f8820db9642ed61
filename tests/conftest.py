"""What every test may ask for: databases of its own, a broker, the whole flow."""

import os
import shutil
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from lab import Lab, LabError, Ports
from tests.databases import Databases, Reused
from tests.flow_kit import Flow

NUMBERS = count(1)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A real Kafka, MariaDB and Connect, started once for the whole run, on ports of their own."""
    own = Lab(tmp_path_factory.mktemp("lab"), Ports.free(), connect=True)
    try:
        started = own.__enter__()
    except LabError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the lab cannot run here: {error}")
    yield started
    own.__exit__(None, None, None)


@pytest.fixture(scope="session")
def kafka_servers(lab: Lab) -> str:
    """Where the lab's Kafka answers."""
    return lab.kafka.bootstrap


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two SQLite files that were migrated, to be copied."""
    folder = tmp_path_factory.mktemp("migrated")
    made = Databases(f"sqlite:///{folder}/orders.db", f"sqlite:///{folder}/catalog.db")
    made.migrate()
    made.dispose()
    return folder


@pytest.fixture(scope="session")
def spare() -> list[Reused]:
    """Databases of MariaDB that a test is done with."""
    return []


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.real)])
def databases(request: pytest.FixtureRequest, tmp_path: Path, spare: list[Reused]) -> Iterator[Databases]:
    """Databases of this test alone: on SQLite and, once more, on the real MariaDB."""
    if request.param == "sqlite":
        for file in request.getfixturevalue("migrated").glob("*.db"):
            shutil.copy(file, tmp_path)
        found = Databases(f"sqlite:///{tmp_path}/orders.db", f"sqlite:///{tmp_path}/catalog.db")
        found.open()
        yield found
        found.dispose()
        return
    pair = spare.pop() if spare else Reused(new_databases(request.getfixturevalue("lab")))
    pair.databases.open()
    yield pair.databases
    if pair.renew():
        spare.append(pair)


def new_databases(lab: Lab) -> Databases:
    """Two databases of the real MariaDB, migrated."""
    number = next(NUMBERS)
    found = Databases(
        lab.mariadb.create_database(f"orders_{number}"), lab.mariadb.create_database(f"catalog_{number}")
    )
    found.migrate()
    return found


@pytest.fixture
def flow(databases: Databases, tmp_path: Path) -> Iterator[Flow]:
    """Orders, catalog and the events between them, on an embedded log."""
    whole = Flow(databases, tmp_path)
    yield whole
    whole.close()
