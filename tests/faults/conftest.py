"""Real processes on a real MariaDB and a real Kafka."""

from collections.abc import Iterator

import pytest

from lab import Lab
from tests.databases import Databases
from tests.deployment import databases_in


@pytest.fixture
def databases(lab: Lab) -> Iterator[Databases]:
    """Two databases of the real MariaDB."""
    with databases_in(lab) as found:
        yield found
