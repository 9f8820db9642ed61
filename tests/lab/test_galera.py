"""A cluster in the lab: it is bootstrapped, loses nodes and all of them, and comes back with every row."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pymysql
import pytest
from click.testing import CliRunner

from lab import Lab, Ports
from lab import __main__ as command
from lab.errors import WrongServers
from lab.galera import Node
from rig.waiting import await_true
from tests.conftest import running

pytestmark = [pytest.mark.long, pytest.mark.real, pytest.mark.timeout(240)]

ROWS = "SELECT number FROM things.numbers ORDER BY number"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    own = Lab(tmp_path_factory.mktemp("lab"), Ports.free(), galera=True)
    with running(own, own.cluster.servers):
        own.mariadb.create_database("things")
        say(own, "CREATE TABLE things.numbers (number INT PRIMARY KEY)")
        yield own


@pytest.fixture(autouse=True)
def _whole(lab: Lab) -> None:
    lab.start(lab.cluster.servers)
    await_true(lambda: used(lab) is not None, "the proxy leads to a node")


def say(lab: Lab, statement: str) -> list[int]:
    """Through the proxy; the first column of the answer."""
    with lab.mariadb.connect() as root, root.cursor() as cursor:
        cursor.execute(statement)
        return [int(row[0]) for row in cursor.fetchall()]


def used(lab: Lab) -> int | None:
    """The port of the node to which the proxy leads."""
    with suppress(pymysql.Error):
        return say(lab, "SELECT @@port")[0]
    return None


def add(lab: Lab, number: int) -> None:
    say(lab, f"INSERT INTO things.numbers VALUES ({number})")


def rows(node: Node) -> list[int]:
    with node.connect() as root, root.cursor() as cursor:
        cursor.execute("SET wsrep_sync_wait = 1")
        cursor.execute(ROWS)
        return [int(row[0]) for row in cursor.fetchall()]


def test_the_proxy_leads_to_one_node_and_stays_with_the_next(lab: Lab) -> None:
    with ThreadPoolExecutor(20) as pool:  # At the same time, because each would choose a node of its own.
        (port,) = set(pool.map(lambda _: used(lab), range(20)))
    first = next(node for node in lab.cluster.nodes if node.ports[0] == port)

    lab.stop([first])
    await_true(lambda: used(lab) not in (port, None), "another node is used")
    lab.start([first])

    # A node that hands the first one what it has missed is left, too.
    assert {used(lab) for _ in range(5)} <= {node.ports[0] for node in lab.cluster.nodes} - {port}
    assert first.status("wsrep_cluster_size") == "3"


def test_a_stopped_node_gets_what_it_has_missed(lab: Lab) -> None:
    node = lab.cluster.nodes[2]
    lab.stop([node])
    add(lab, 1)

    lab.start([node])

    assert 1 in rows(node)


@pytest.mark.parametrize("number", [2, 3])
def test_an_empty_node_gets_everything(lab: Lab, number: int) -> None:
    node = lab.cluster.nodes[number - 1]
    add(lab, 10 + number)
    lab.stop([node])
    node.wipe()

    lab.start([node])

    assert 10 + number in rows(node)


def test_a_killed_cluster_is_bootstrapped_by_the_node_with_the_newest_data(lab: Lab) -> None:
    one, two, three = lab.cluster.nodes
    lab.stop([one])
    add(lab, 20)
    lab.stop([two])
    add(lab, 21)
    three.kill()

    with pytest.raises(WrongServers, match="mariadb-3 has the newest data"):
        lab.start([one])
    lab.start(lab.cluster.servers)

    assert all({20, 21} <= {*rows(node)} for node in lab.cluster.nodes)


def test_all_nodes_killed_at_once_lose_nothing(lab: Lab) -> None:
    add(lab, 30)
    for node in lab.cluster.nodes:
        node.kill()

    lab.start(lab.cluster.servers)

    assert 30 in say(lab, ROWS)
    assert {node.status("wsrep_cluster_size") for node in lab.cluster.nodes} == {"3"}


def test_the_folder_remembers_the_cluster_and_status_tells_what_a_node_does(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    again = Lab(lab.home, lab.ports)
    monkeypatch.setattr(command, "Lab", lambda **_: again)
    lab.stop(lab.named("mariadb-2"))

    result = CliRunner().invoke(command.main, ["status", "--json"])

    states = {one["name"]: one["state"] for one in json.loads(result.stdout)}
    nodes = {"mariadb-1": "answers", "mariadb-2": "stopped", "mariadb-3": "answers"}
    assert states.items() >= nodes.items() | {("mariadb-proxy", "answers")}
    assert [one.name for one in again.named("mariadb")] == [*nodes, "mariadb-proxy"]


def test_the_data_of_one_mariadb_does_not_become_a_cluster(tmp_path: Path) -> None:
    (tmp_path / "mariadb/data").mkdir(parents=True)

    with pytest.raises(WrongServers, match="reset"):
        Lab(tmp_path, Ports.free(), galera=True)
