"""An outbox with relays, and a log with a consumer, of one test alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rig.databases import Databases
from tests.events.kit import Post, Reception


@pytest.fixture
def post(databases: Databases, tmp_path: Path) -> Iterator[Post]:
    found = Post(databases, tmp_path)
    yield found
    for relay in found.relays:
        relay.close()
    found.engine.dispose()


@pytest.fixture
def reception(databases: Databases, tmp_path: Path) -> Iterator[Reception]:
    found = Reception(databases, tmp_path)
    yield found
    found.close()
    found.producer.close()
    found.sessions.kw["bind"].dispose()
