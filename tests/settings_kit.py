"""What the tests of the settings share: two URLs with a secret, and what is wrong with an environment."""

import pytest

from orders_service.settings import Settings, SettingsError

ORDERS_URL = "mariadb+pymysql://orders:s3cr3t@127.0.0.1:3306/orders"
CATALOG_URL = "mariadb+pymysql://catalog:s3cr3t@127.0.0.1:3306/catalog"


def problems(environment: dict[str, str]) -> list[str]:
    """What is wrong with *environment*."""
    with pytest.raises(SettingsError) as refusal:
        Settings.read(environment)
    assert str(refusal.value) == "\n".join(refusal.value.problems)
    return refusal.value.problems
