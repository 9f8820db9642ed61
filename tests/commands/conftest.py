"""The commands, told nothing by the environment of whoever runs the tests."""

import pytest

from orders_service.settings import FIELDS


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is set but what a test sets: an exported lab is not to be touched."""
    for name in FIELDS:
        monkeypatch.delenv(name.upper(), raising=False)
        monkeypatch.delenv(f"{name.upper()}_FILE", raising=False)
