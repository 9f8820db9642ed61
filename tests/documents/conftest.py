"""The service of `make run`, and what it answers to the samples."""

from collections.abc import Iterator

import pytest

from rig.documents.recording import Recording, record, running


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Recording:
    """The answers of a new service to the samples."""
    return record(tmp_path_factory.mktemp("recording"))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running service."""
    with running(tmp_path_factory.mktemp("site")) as settings:
        yield f"http://127.0.0.1:{settings.api_port}"
