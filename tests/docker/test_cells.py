"""The gateway before cells leads each user to one cell: HAProxy with docker/cells.cfg."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab import LabError, Ports
from lab.galera import proxy
from lab.ports import is_free
from rig.processes import Process
from tests.docker.test_gateway import get, stand_in

SETTINGS = Path(__file__).resolve().parents[2] / "docker/cells.cfg"
USERS = ["kim", "lee", "ann", "bob", "J%C3%BCrgen", "a+b", "50%25", "a%20b", "a%2Fb", "user-1", "user-2"]

Cells = tuple[int, list[str], list[str]]


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cells]:
    """The port of the gateway, and what reached each of two cells."""
    try:
        program, libraries = proxy.program(), proxy.libraries()
    except LabError as error:
        pytest.skip(f"HAProxy cannot be had here: {error}")
    folder, port = tmp_path_factory.mktemp("cells"), Ports.free().connect
    first: list[str] = []
    second: list[str] = []
    with ExitStack() as stack:
        one, two = (stack.enter_context(stand_in(asked)) for asked in (first, second))
        places = {"GATEWAY": port, "CELL_0": one, "CELL_1": two}
        environment = {name: f"127.0.0.1:{place}" for name, place in places.items()} | libraries
        process = Process(
            "haproxy", [str(program), "-db", "-f", str(SETTINGS)], environment, folder / "haproxy.log"
        )
        stack.callback(process.end)
        process.start(lambda: not is_free(port))
        yield port, first, second


def cell_of(cells: Cells, target: str) -> int:
    """The number of the cell that was asked for *target*."""
    port, first, second = cells
    before = len(first), len(second)
    assert get(port, target)[0] == 200
    cell = [len(first) > before[0], len(second) > before[1]].index(True)
    assert (first, second)[cell][-1].lstrip("/") == target.lstrip("/")  # It arrived as it was sent.
    return cell


def test_users_are_spread_over_the_cells(cells: Cells) -> None:
    assert {cell_of(cells, f"/order-service/{user}/orders") for user in USERS} == {0, 1}


@pytest.mark.parametrize("user", USERS)
def test_a_user_has_one_cell_however_the_path_is_written(cells: Cells, user: str) -> None:
    letter = f"%{ord(user[0]):02x}{user[1:]}"
    targets = [
        f"/order-service/{user}/orders",
        f"/order-service/{user}/orders/1/cancel",
        f"/order-service/{user}/orders?limit=1",
        f"//order-service//{user}/orders",
        f"/order-service/{letter}/orders",
        f"/%6frder-service/{user}/orders",
    ]

    assert len({cell_of(cells, target) for target in targets}) == 1
