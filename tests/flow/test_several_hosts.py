"""The whole service with database URLs that name several hosts, the first of which is down."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from lab import Lab
from lab.ports import free_ports
from orders_service.cli import commands
from rig.databases import Databases, databases_in
from tests.flow_kit import Flow

pytestmark = pytest.mark.real


@pytest.fixture
def several(lab: Lab) -> Iterator[Databases]:
    """Two databases on the lab's MariaDB, by URLs whose first host is down."""
    down = f"127.0.0.1:{free_ports(1)[0]}"
    where = lab.mariadb.where
    with databases_in(lab) as single:
        orders, catalog = (
            url.replace(where, f"{down},{where}") for url in (single.orders_url, single.catalog_url)
        )
        yield Databases(orders, catalog, single.engines)


def test_an_order_is_confirmed_and_cancelled(several: Databases, tmp_path: Path) -> None:
    flow = Flow(several, tmp_path)

    order = flow.place(key="key")
    flow.run()
    confirmed = flow.status(order)
    flow.cancel(order)
    flow.run()

    assert (confirmed, flow.status(order)) == ("CONFIRMED", "CANCELLED")
    assert flow.api.get("/readyz").status_code == 200
    flow.assert_stock_adds_up()
    flow.close()


@pytest.mark.parametrize("command", ["migrate", "orders list", "outbox list", "dead-letters list"])
def test_a_command_uses_the_host_that_is_up(command: str, several: Databases, tmp_path: Path) -> None:
    environment = several.environment | {"STATE_DIR": str(tmp_path)}

    result = CliRunner().invoke(commands, command.split(), env=environment)

    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("command", ["doctor", "config check", "config show"])
def test_what_is_shown_names_every_host_and_no_password(
    command: str, several: Databases, tmp_path: Path, lab: Lab
) -> None:
    environment = several.environment | {"STATE_DIR": str(tmp_path)}

    result = CliRunner().invoke(commands, command.split(), env=environment)

    hosts = several.orders_url.partition("@")[2].partition("/")[0]
    assert "-pw" not in result.output
    if command != "config check":
        assert f"***@{hosts}/" in result.output
    if command == "doctor":
        assert f"connected to {lab.mariadb.where}" in result.output


def test_doctor_says_which_host_is_missing_when_none_can_be_written_to(
    several: Databases, tmp_path: Path, lab: Lab
) -> None:
    environment = several.environment | {"STATE_DIR": str(tmp_path)}
    with lab.mariadb.connect() as root, root.cursor() as cursor:
        cursor.execute("SET GLOBAL read_only = 1")
        try:
            result = CliRunner().invoke(commands, ["doctor"], env=environment)
        finally:
            cursor.execute("SET GLOBAL read_only = 0")

    assert "no host can be written to" in result.output
    assert "GRANT" not in result.output
