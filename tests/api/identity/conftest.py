"""An API that asks for tokens."""

from collections.abc import Iterator

import pytest

from tests.api.identity.kit import WITH_SECRET
from tests.api.kit import Api


@pytest.fixture(scope="package")
def shared_secured(shared_api: Api) -> Iterator[Api]:
    """The databases of `shared_api` behind an API with a shared secret."""
    with Api.on(shared_api.databases, **WITH_SECRET) as secured:
        yield secured


@pytest.fixture
def secured(shared_secured: Api) -> Api:
    """An API with a shared secret, without orders."""
    shared_secured.empty()
    return shared_secured
