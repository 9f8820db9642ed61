"""A Galera cluster loses nodes, its writer or its quorum, or restarts; a proxy or the URL finds the rest."""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from signal import SIGCONT, SIGSTOP

import pytest

from lab import Lab, Ports
from rig import waiting
from rig.customers import Customers
from rig.waiting import await_true
from tests.conftest import running
from tests.faults.cluster import isolate, make_whole, writer
from tests.faults.conftest import NUMBERS, REPORT, SEED
from tests.faults.stage import Stage

pytestmark = [pytest.mark.real, pytest.mark.faults, pytest.mark.timeout(300)]

REFUSED_SECONDS = 1
QUORUM_SECONDS = 5  # An order that is placed after the nodes are together again is answered.
ORDER = {"productId": "CATALOG-001", "qty": 1, "unitPrice": 1500}
FROZEN_SECONDS = 12  # Longer than a process waits for an answer.
WAIT_SECONDS = 6  # A customer waits for an answer no longer than this, and none is refused.
ANSWER_SECONDS = 7  # An order that is placed after the fault is confirmed or rejected.
HAPROXY, HOSTS = "HAProxy", "several hosts"


def reached_by(way: str) -> pytest.MarkDecorator:
    """The processes of this test find a node in that *way*; with FAULTS_WAYS=all once in each way."""
    ways = [HAPROXY, HOSTS] if os.environ.get("FAULTS_WAYS") == "all" else [way]
    return pytest.mark.parametrize("way", ways, indirect=True, scope="module")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A Kafka and a cluster that only these tests use."""
    own = Lab(tmp_path_factory.mktemp("lab"), Ports.free(), galera=True)
    with running(own):
        yield own


@pytest.fixture(scope="module")
def way(request: pytest.FixtureRequest) -> str:
    """How the processes find a node."""
    return str(request.param)


@pytest.fixture(scope="module")
def cluster_stages(lab: Lab, way: str) -> Iterator[list[Stage]]:
    found: list[Stage] = []
    yield found
    for stage in found:
        stage.close()


@pytest.fixture
def stage(
    lab: Lab,
    way: str,
    cluster_stages: list[Stage],
    chance: random.Random,
    tmp_path_factory: pytest.TempPathFactory,
    request: pytest.FixtureRequest,
) -> Iterator[Stage]:
    """The deployment, on a cluster that is whole."""
    make_whole(lab)
    if cluster_stages and not cluster_stages[-1].sound:
        cluster_stages.pop().close()
    if not cluster_stages:
        hosts = ",".join(node.where for node in lab.cluster.nodes)

        def reach(url: str) -> str:
            return url if way == HAPROXY else url.replace(lab.mariadb.where, hosts)

        folder, numbers = tmp_path_factory.mktemp("stage"), random.Random(f"{SEED} {next(NUMBERS)}")
        cluster_stages.append(Stage(lab, folder, numbers, reach=reach))
        cluster_stages[-1].deployment.open()
    current = cluster_stages[-1]
    current.chance, current.sound, current.fault = chance, False, request.node.name
    yield current
    request.config.stash[REPORT] += current.report
    current.report.clear()


@contextmanager
def noticed(stage: Stage, *, refused: bool = False) -> Iterator[Customers]:
    """Customers order while the block lasts and go on afterwards; it is reported what they noticed.

    Unless *refused*, each of them must be answered, and soon.
    """
    with stage.ordering(crowd=20) as customers:
        began = time.monotonic()
        yield customers
        customers.await_accepted(40)
    longest = max(customers.latencies())
    stage.report.append(
        f"{stage.fault}: refused {sum(customers.failures.values())} {dict(customers.failures)}, an order"
        f" waited {longest:.1f} s, {customers.longest_gap(began):.1f} s without a 201"
    )
    stage.settle()
    if not refused:
        assert not customers.failures
        assert longest < waiting.seconds(WAIT_SECONDS)


@reached_by(HAPROXY)
def test_the_writer_is_killed(stage: Stage, lab: Lab) -> None:
    with noticed(stage):
        node = writer(lab)
        node.kill()
        stage.await_answer(seconds=ANSWER_SECONDS)
        lab.start([node])


@reached_by(HOSTS)
def test_another_node_is_killed(stage: Stage, lab: Lab) -> None:
    with noticed(stage):
        current = writer(lab)
        node = next(node for node in lab.cluster.nodes if node is not current)
        node.kill()
        stage.await_answer(seconds=ANSWER_SECONDS)
        lab.start([node])


@reached_by(HOSTS)
def test_the_writer_is_frozen_and_wakes(stage: Stage, lab: Lab) -> None:
    with noticed(stage) as customers:
        node = writer(lab)
        node.signal(SIGSTOP)
        stage.await_answer(seconds=ANSWER_SECONDS)
        time.sleep(FROZEN_SECONDS)
        node.signal(SIGCONT)
        customers.await_accepted(40)


@reached_by(HAPROXY)
def test_the_writer_is_cut_off(stage: Stage, lab: Lab) -> None:
    with noticed(stage) as customers:
        node = writer(lab)
        isolate(node, True)
        stage.await_answer(seconds=ANSWER_SECONDS)
        customers.await_accepted(100)
        isolate(node, False)
        await_true(node.answers, f"{node.name} is back")


@reached_by(HOSTS)
def test_two_of_three_nodes_are_killed(stage: Stage, lab: Lab) -> None:
    with noticed(stage, refused=True) as customers:
        last = writer(lab)
        lost = [node for node in lab.cluster.nodes if node is not last]
        for node in lost:
            node.kill()
        await_true(lambda: last.status("wsrep_ready") == "OFF", "the last node is alone")
        time.sleep(4)
        before = time.monotonic()
        refused = stage.deployment.api.post("/order-service/kim/orders", json=ORDER)
        took = time.monotonic() - before
        lab.start(lost)
        stage.await_answer(seconds=QUORUM_SECONDS)
        customers.await_accepted(40)
    assert refused.status_code == 503
    assert took < waiting.seconds(REFUSED_SECONDS)


@reached_by(HAPROXY)
def test_a_node_gets_the_whole_state(stage: Stage, lab: Lab) -> None:
    current = writer(lab)
    node = next(node for node in reversed(lab.cluster.nodes) if node is not current)
    lab.stop([node])
    node.wipe()

    with noticed(stage) as customers:
        lab.start([node])
        customers.await_accepted(40)


@reached_by(HOSTS)
def test_all_nodes_are_restarted_one_after_another(stage: Stage, lab: Lab) -> None:
    with noticed(stage):
        for node in lab.cluster.nodes:
            lab.stop([node])
            lab.start([node])


@reached_by(HAPROXY)
def test_the_whole_cluster_is_killed(stage: Stage, lab: Lab) -> None:
    with noticed(stage, refused=True):
        for node in lab.cluster.nodes:
            node.kill()
        time.sleep(1)
        lab.start(lab.cluster.servers)
