"""A URL with several hosts on a real Galera cluster, if Debian's package of Galera can be had here."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, Engine, text, update
from sqlalchemy.exc import OperationalError

from lab import Lab, Ports
from lab.accounts import password
from lab.galera import Cluster, Node
from orders_service.cli import commands
from orders_service.database.engines import open_engine
from orders_service.database.hosts import hosts_of
from orders_service.database.transactions import in_transaction
from rig.databases import Databases
from rig.waiting import await_true
from tests.api.kit import ORDERS, Api
from tests.conftest import running
from tests.database.things import THINGS, Base, Thing, things

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    lab = Lab(tmp_path_factory.mktemp("galera"), Ports.free(), galera=True)
    with running(lab, lab.cluster.nodes):
        for name in ("things", "orders_g", "catalog_g"):
            lab.cluster.nodes[0].create_database(name)
        engine = open_engine(url(lab.cluster.nodes[0]))
        Base.metadata.create_all(engine)
        engine.dispose()
        yield lab.cluster


@pytest.fixture(autouse=True)
def _forget_what_failed() -> None:
    hosts_of.cache_clear()


def url(*nodes: Node, name: str = "things") -> str:
    where = ",".join(node.where for node in nodes)
    return f"mariadb+pymysql://{name}:{password(name)}@{where}/{name}?charset=utf8mb4"


def databases(*nodes: Node) -> Databases:
    return Databases(url(*nodes, name="orders_g"), url(*nodes, name="catalog_g"))


@contextmanager
def opened(*nodes: Node) -> Iterator[Engine]:
    engine = open_engine(url(*nodes), one_trip=True)
    try:
        yield engine
    finally:
        engine.dispose()


def say(node: Node, statement: str) -> None:
    with node.connect() as connection, connection.cursor() as cursor:
        cursor.execute(statement)


def add(number: int, engine: Engine) -> None:
    def work(connection: Connection) -> None:
        THINGS.write(connection, [(number, None)])

    with engine.connect() as connection:
        in_transaction(connection, work)


def port_of(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(text("SELECT @@port")))


@contextmanager
def lagging(node: Node, *, seconds: float) -> Iterator[None]:
    """For *seconds* the node applies nothing that the others commit."""
    with node.connect() as connection, connection.cursor() as cursor:
        cursor.execute("FLUSH TABLES WITH READ LOCK")
        release = Timer(seconds, lambda: cursor.execute("UNLOCK TABLES"))
        release.start()
        try:
            yield
        finally:
            release.join()


@pytest.mark.parametrize("hosts", [1, 2])
def test_an_order_is_found_on_a_node_that_lags(cluster: Cluster, hosts: int) -> None:
    one, two, _ = cluster.nodes
    here, there = databases(*[one, two][:hosts]), databases(*[two, one][:hosts])
    here.migrate()
    with Api.on(here) as api, Api.on(there) as other:
        assert other.get(ORDERS).status_code == 200  # The other API has connected.
        with lagging(two, seconds=1):
            placed = api.place()
            shown = other.get(placed.headers["Location"])
        with lagging(two, seconds=1):
            placed = api.place()
            cancelled = other.cancel(placed.headers["Location"].rpartition("/")[2])
        missing = other.get(f"{ORDERS}/00000000-0000-4000-8000-000000000000")
    here.dispose()

    assert (placed.status_code, shown.status_code, cancelled.status_code) == (201, 200, 200)
    assert missing.status_code == 404


def test_a_conflict_at_commit_is_repeated(cluster: Cluster) -> None:
    one, two, _ = cluster.nodes
    runs = []
    with opened(one) as here, opened(two) as there:
        add(1, here)
        await_true(lambda: len(things(there)) == 1, "the row has reached the second node")

        def work(connection: Connection) -> None:
            runs.append(connection)
            connection.execute(update(Thing).values(version=Thing.version + 1))
            if len(runs) == 1:
                with here.begin() as other:  # It is committed first, so this transaction must lose.
                    other.execute(update(Thing).values(version=Thing.version + 10))

        with there.connect() as connection:
            in_transaction(connection, work)
        found = things(there)

    assert len(runs) == 2
    assert found == [(1, "lamp", None, 12)]


def test_a_node_that_refuses_is_left(cluster: Cluster) -> None:
    one, two, _ = cluster.nodes
    with opened(one, two) as engine:
        assert port_of(engine) == one.ports[0]
        say(one, "SET GLOBAL wsrep_reject_queries = ALL")
        try:
            add(2, engine)
            port = port_of(engine)
        finally:
            say(one, "SET GLOBAL wsrep_reject_queries = NONE")

    assert port == two.ports[0]


def test_doctor_tells_of_the_cluster(cluster: Cluster, tmp_path: Path) -> None:
    one, two, _ = cluster.nodes
    here = databases(one, two)
    here.migrate()
    result = CliRunner().invoke(commands, ["doctor"], env=here.environment | {"STATE_DIR": str(tmp_path)})
    here.dispose()

    assert f"connected to {one.where}, mariadb-1, Synced, in a Galera cluster of 3" in result.output


def test_killed_nodes_lose_nothing_and_a_minority_is_refused(cluster: Cluster) -> None:
    one, two, three = cluster.nodes
    with opened(one, two, three) as engine, opened(three) as last:
        add(3, engine)
        one.kill()
        add(4, engine)
        await_true(lambda: three.status("wsrep_cluster_size") == "2", "the first node is voted out")
        await_true(lambda: {row[0] for row in things(last)} >= {3, 4}, "the third node has both rows")

        two.kill()
        await_true(lambda: three.status("wsrep_ready") == "OFF", "the third node is alone")

        with pytest.raises(OperationalError, match=r"no host can be used.*wsrep_ready=OFF"):
            add(5, engine)
