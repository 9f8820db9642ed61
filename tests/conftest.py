"""What every test may ask for: databases of its own, a broker, the whole flow."""

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import pytest_timeout
from hypothesis import HealthCheck, settings

from lab import Lab, Ports
from tests import patience
from tests.databases import Databases
from tests.deployment import running
from tests.flow_kit import Flow

NUMBERS = count(1)

# How fast a machine makes examples is no finding. The first in a new checkout wait for a table of characters.
settings.register_profile("any machine", suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> object:
    """A test's time-out grows with the load, as every deadline in it does."""
    scaled = settings._replace(timeout=patience.seconds(settings.timeout))
    return pytest_timeout.pytest_timeout_set_timer(item, scaled)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A real Kafka, MariaDB and Connect, started once for the whole run, on ports of their own."""
    own = Lab(tmp_path_factory.mktemp("lab"), Ports.free(), connect=True)
    with running(own):
        yield own


@pytest.fixture(scope="session")
def kafka_servers(lab: Lab) -> str:
    """Where the lab's Kafka answers."""
    return lab.kafka.bootstrap


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.real)])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Databases]:
    """Databases of this test alone: on SQLite and, once more, on the real MariaDB."""
    if request.param == "sqlite":
        found = Databases(f"sqlite:///{tmp_path}/orders.db", f"sqlite:///{tmp_path}/catalog.db")
    else:
        mariadb = request.getfixturevalue("lab").mariadb
        number = next(NUMBERS)
        found = Databases(
            mariadb.create_database(f"orders_{number}"), mariadb.create_database(f"catalog_{number}")
        )
    found.migrate()
    yield found
    found.dispose()


@pytest.fixture
def flow(databases: Databases, tmp_path: Path) -> Iterator[Flow]:
    """Orders, catalog and the events between them, on an embedded log."""
    whole = Flow(databases, tmp_path)
    yield whole
    whole.close()
