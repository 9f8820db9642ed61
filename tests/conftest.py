"""The fixtures of all tests: databases of their own, the lab, the whole flow."""

import os
import random
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_timeout
from hypothesis import HealthCheck, settings

from lab import Lab, LabError, Ports
from lab.server import Server
from rig import prometheus, waiting
from rig.databases import Databases
from tests.flow_kit import Flow

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NUMBERS = count(1)

# Slow examples are no error: the first ones in a new checkout wait for a table of characters.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")


def pytest_configure() -> None:
    """Let Ctrl-C end what the tests start, even where they run in the background, which ignores it."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the files that take a minute or more: at the end, one process would wait for the other.

    LONG_FILES leaves only so many of them, other ones for each LONG_SEED. By default all are run.
    """
    items.sort(key=lambda item: item.get_closest_marker("long") is None)
    if wanted := os.environ.get("LONG_FILES"):
        files = sorted({item.path for item in items if item.get_closest_marker("long")})
        chosen = random.Random(os.environ.get("LONG_SEED", "")).sample(files, min(int(wanted), len(files)))
        left_out = [item for item in items if item.path in files and item.path not in chosen]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> object:
    """The time-out of a test grows with the load, like every deadline in it."""
    scaled = settings._replace(timeout=waiting.seconds(settings.timeout))
    return pytest_timeout.pytest_timeout_set_timer(item, scaled)


@contextmanager
def running(lab: Lab, servers: Sequence[Server] | None = None) -> Iterator[None]:
    """The servers of *lab*, by default all, for as long as the block lasts.

    If they cannot run here, tests are skipped; in CI they fail.
    """
    try:
        lab.start(lab.servers if servers is None else servers)
    except BaseException as error:
        lab.down()
        if os.environ.get("CI") or not isinstance(error, LabError):
            raise
        pytest.skip(f"the lab cannot run here: {error}")
    try:
        yield
    finally:
        lab.down()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A real Kafka, MariaDB and Connect, started once for the whole run, on ports of their own."""
    own = Lab(tmp_path_factory.mktemp("lab"), Ports.free(), connect=True)
    with running(own):
        yield own


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """Chromium, started once for the whole run."""
    from tests.browsers import chromium  # noqa: PLC0415 - most tests have no need of Playwright.

    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def programs() -> None:
    """The programs of Prometheus. Where they cannot be had, tests are skipped; in CI they fail."""
    try:
        for name in prometheus.PACKAGES:
            prometheus.program(name)
    except LabError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"Prometheus cannot be had here: {error}")


@pytest.fixture(scope="session")
def kafka_servers(lab: Lab) -> str:
    """The address of the lab's Kafka."""
    return lab.kafka.bootstrap


@pytest.fixture(params=["sqlite", pytest.param("mariadb", marks=pytest.mark.real)])
def databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Databases]:
    """Databases of this test alone: on SQLite and, once more, on the real MariaDB."""
    if request.param == "sqlite":
        found = Databases(f"sqlite:///{tmp_path}/orders.db", f"sqlite:///{tmp_path}/catalog.db")
    else:
        found = Databases.on(request.getfixturevalue("lab").mariadb, next(NUMBERS))
    found.migrate()
    yield found
    found.dispose()


@pytest.fixture
def flow(databases: Databases, tmp_path: Path) -> Iterator[Flow]:
    """Orders, catalog and the events between them, on an embedded log."""
    whole = Flow(databases, tmp_path)
    yield whole
    whole.close()
