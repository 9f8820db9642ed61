"""The settings of the page: whether it is served, and on which host names."""

import pytest

from orders_service.settings import Settings

TOKENS = {"AUTH_MODE": "jwt", "AUTH_SECRET": "0123456789abcdef" * 2}
OPEN = {"AUTH_MODE": "none"}


@pytest.mark.parametrize(
    ("environment", "is_on"),
    [
        ({}, True),
        ({"API_HOST": "localhost"}, True),
        ({"API_HOST": "::1"}, True),
        (OPEN | {"API_HOST": "0.0.0.0"}, False),
        (TOKENS | {"API_HOST": "0.0.0.0"}, True),
        (OPEN | {"API_HOST": "0.0.0.0", "UI": "on"}, True),
        (TOKENS | {"API_HOST": "0.0.0.0", "UI": "off"}, False),
        ({"UI": "off"}, False),
    ],
)
def test_the_page_is_on_where_strangers_see_nothing(environment: dict[str, str], is_on: bool) -> None:
    assert Settings.read(environment).ui_is_on is is_on


def test_this_machines_names_are_always_among_the_host_names() -> None:
    assert Settings.read({}).ui_host_names == {"localhost", "127.0.0.1", "[::1]"}
    more = Settings.read({"UI_HOSTS": "Orders.example  [FD00::1]"}).ui_host_names
    assert more == {"localhost", "127.0.0.1", "[::1]", "orders.example", "[fd00::1]"}
