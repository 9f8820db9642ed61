"""The stage: servers that a test may kill, and a deployment that several tests use one after another."""

import os
import random
import secrets
import signal
from collections.abc import Iterator
from dataclasses import replace
from itertools import count

import pytest

from lab import Lab, Ports
from tests.conftest import running
from tests.faults.proxy import Proxy
from tests.faults.stage import Stage

SEED = os.environ.get("FAULTS_SEED") or secrets.token_hex(4)
REPORT = pytest.StashKey[list[str]]()
NUMBERS = count(1)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[REPORT] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """If FAULTS_TESTS is set, keep only that many faults, chosen by the seed: at least one of each file."""
    if not (wanted := os.environ.get("FAULTS_TESTS")):
        return
    faults = [item for item in items if item.get_closest_marker("faults")]
    random.Random(SEED).shuffle(faults)
    firsts = {item.path: item for item in reversed(faults)}
    chosen = [*firsts.values(), *(item for item in faults if item not in firsts.values())][: int(wanted)]
    left_out = [item for item in faults if item not in chosen]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def pytest_report_header() -> str:
    return f"the same faults at the same places: FAULTS_SEED={SEED}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if config.stash[REPORT]:
        terminalreporter.section(f"faults (FAULTS_SEED={SEED})")
        for line in config.stash[REPORT]:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def acknowledgements() -> Iterator[Proxy]:
    """A proxy in front of Kafka, which can swallow what Kafka answers."""
    proxy = Proxy(Ports.free().connect)
    yield proxy
    proxy.close()


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory, acknowledgements: Proxy) -> Iterator[Lab]:
    """A Kafka and a MariaDB that only the faults use."""
    detour = (acknowledgements.port, acknowledgements.to)
    own = Lab(tmp_path_factory.mktemp("lab"), replace(Ports.free(), detour=detour))
    with running(own):
        yield own


@pytest.fixture
def chance(request: pytest.FixtureRequest) -> random.Random:
    """The random numbers of this test; the same seed gives the same numbers again."""
    return random.Random(f"{SEED} {request.node.name}")


@pytest.fixture(scope="session")
def stages(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Stage]]:
    """The stage in use, if there is one."""
    found: list[Stage] = []
    yield found
    for stage in found:
        stage.close()


@pytest.fixture
def stage(
    lab: Lab,
    stages: list[Stage],
    chance: random.Random,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Stage]:
    """The deployment, with every process running. After a failed test there is a new one."""
    if stages and not stages[-1].sound:
        stages.pop().close()
        for server in lab.servers:
            server.signal(signal.SIGCONT)
            server.start()
    if not stages:
        stages.append(Stage(lab, tmp_path_factory.mktemp("stage"), random.Random(f"{SEED} {next(NUMBERS)}")))
        stages[-1].deployment.open()
    current = stages[-1]
    current.chance, current.sound, current.fault = chance, False, request.node.name
    yield current
    request.config.stash[REPORT] += current.report
    current.report.clear()
