"""The faults of a soak on a cluster: three MariaDB nodes behind their proxy, and three brokers."""

import time
from signal import SIGCONT, SIGSTOP

from lab.galera import Node
from tests.faults.cluster import isolate, writer
from tests.faults.soak_faults import FAULTS, Fault, Soak, mariadb_killed, mariadb_read_only

FROZEN_SECONDS = (3.0, 15.0)
CUT_OFF_SECONDS = (3.0, 10.0)


def broker_killed(soak: Soak) -> str:
    broker = soak.chance.choice(soak.stage.lab.kafka.brokers)
    broker.kill()
    time.sleep(soak.chance.uniform(0, 10))
    broker.start()
    return f"{broker.name} killed"


def proxy_killed(soak: Soak) -> str:
    proxy = soak.stage.lab.cluster.proxy
    proxy.kill()
    proxy.start()
    return "the proxy of the databases killed"


def writer_killed(soak: Soak) -> str:
    node = writer(soak.stage.lab)
    node.kill()
    time.sleep(soak.chance.uniform(0, 5))
    soak.stage.lab.start([node])
    return f"the writer, {node.name}, killed"


def another_node_killed(soak: Soak) -> str:
    node = _another(soak)
    node.kill()
    time.sleep(soak.chance.uniform(0, 5))
    soak.stage.lab.start([node])
    return f"{node.name} killed, which is not the writer"


def writer_frozen(soak: Soak) -> str:
    node, seconds = writer(soak.stage.lab), soak.chance.uniform(*FROZEN_SECONDS)
    node.signal(SIGSTOP)
    try:
        time.sleep(seconds)
    finally:
        node.signal(SIGCONT)
    return f"the writer, {node.name}, frozen for {seconds:.0f} s"


def writer_cut_off(soak: Soak) -> str:
    node, seconds = writer(soak.stage.lab), soak.chance.uniform(*CUT_OFF_SECONDS)
    isolate(node, True)
    try:
        time.sleep(seconds)
    finally:
        isolate(node, False)
    return f"the writer, {node.name}, cut off for {seconds:.0f} s"


def two_nodes_killed(soak: Soak) -> str:
    last = soak.chance.choice(soak.stage.lab.cluster.nodes)
    lost = [node for node in soak.stage.lab.cluster.nodes if node is not last]
    for node in lost:
        node.kill()
    time.sleep(soak.chance.uniform(0, 5))
    soak.stage.lab.start(lost)
    return f"all nodes but {last.name} killed"


def node_wiped(soak: Soak) -> str:
    node = _another(soak)
    soak.stage.lab.stop([node])
    node.wipe()
    soak.stage.lab.start([node])
    return f"{node.name} wiped: it got the whole state"


def nodes_restarted(soak: Soak) -> str:
    for node in soak.stage.lab.cluster.nodes:
        soak.stage.lab.stop([node])
        soak.stage.lab.start([node])
    return "every node restarted, one after another"


def cluster_killed(soak: Soak) -> str:
    for node in soak.stage.lab.cluster.nodes:
        node.kill()
    time.sleep(soak.chance.uniform(0, 2))
    soak.stage.lab.start(soak.stage.lab.cluster.servers)
    return "the whole cluster killed"


def node_read_only(soak: Soak) -> str:
    node = writer(soak.stage.lab)
    with node.connect() as root, root.cursor() as cursor:
        cursor.execute("SET GLOBAL read_only = 1")
        time.sleep(2)
        cursor.execute("SET GLOBAL read_only = 0")
    return f"the writer, {node.name}, read-only for 2 s"


def _another(soak: Soak) -> Node:
    """A node that is not the writer."""
    current = writer(soak.stage.lab)
    return soak.chance.choice([node for node in soak.stage.lab.cluster.nodes if node is not current])


CLUSTER_FAULTS: tuple[Fault, ...] = (
    *(fault for fault in FAULTS if fault not in (mariadb_killed, mariadb_read_only)),
    broker_killed,
    proxy_killed,
    writer_killed,
    another_node_killed,
    writer_frozen,
    writer_cut_off,
    two_nodes_killed,
    node_wiped,
    nodes_restarted,
    cluster_killed,
    node_read_only,
)
