"""The nodes of a Galera cluster: which one is the writer, and how they are cut off and made whole again."""

from signal import SIGCONT

import pymysql

from lab import Lab, LabError
from lab.galera import Node
from rig import waiting

CLIENTS = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER LIKE 'orders\\_%'"


def make_whole(lab: Lab) -> None:
    """Bring back every node, whatever a test has left."""
    try:
        for node in lab.cluster.nodes:
            if node.signal(SIGCONT):
                isolate(node, False)
        lab.start(lab.cluster.servers)
        await_whole(lab)
    except (LabError, pymysql.Error, AssertionError):
        for node in lab.cluster.nodes:
            node.kill()
        lab.start(lab.cluster.servers)
        await_whole(lab)


def await_whole(lab: Lab) -> None:
    """Wait until all nodes are in step again, and agree on it.

    A node that was frozen says *Synced* for a while after it wakes, until it notices that the others went on
    without it. If these are lost then, so is what only they have.
    """
    nodes = lab.cluster.nodes
    size = str(len(nodes))

    def agree() -> bool:
        views = {(node.status("wsrep_cluster_size"), node.status("wsrep_cluster_conf_id")) for node in nodes}
        return len(views) == 1 and views.pop()[0] == size and all(node.answers() for node in nodes)

    waiting.await_true(agree, "all nodes are in step", seconds=60)


def isolate(node: Node, isolated: bool) -> None:
    """Cut the node off from the others, or connect it again."""
    with node.connect(waiting.seconds(20)) as root, root.cursor() as cursor:
        cursor.execute(f"SET GLOBAL wsrep_provider_options = 'gmcast.isolate={isolated:d}'")


def writer(lab: Lab) -> Node:
    """The node that the service uses."""

    def clients(node: Node) -> int:
        with node.connect() as root, root.cursor() as cursor:
            cursor.execute(CLIENTS)
            return int(str((cursor.fetchone() or (0,))[0]))

    return max(lab.cluster.nodes, key=clients)
