"""The nodes of a Galera cluster: which one is the writer, and how they are cut off and made whole again."""

from signal import SIGCONT

import pymysql

from lab import Lab, LabError
from lab.galera import Node
from rig import waiting

SYNCED, STATE = "Synced", ("wsrep_local_state_comment", "wsrep_cluster_size", "wsrep_cluster_conf_id")
PAUSE = 0.5  # Seconds between two questions to the nodes.
CLIENTS = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER LIKE 'orders\\_%'"


def make_whole(lab: Lab) -> None:
    """Bring back every node, whatever a test has left."""
    try:
        for node in lab.cluster.nodes:
            if node.signal(SIGCONT):
                isolate(node, False)
        lab.start(lab.cluster.servers)
        in_step = waiting.wait(lambda: _is_in_step(lab), seconds=30, pause=PAUSE)
    except (LabError, pymysql.Error):
        in_step = False
    if not in_step:
        for node in lab.cluster.nodes:
            node.kill()
        lab.start(lab.cluster.servers)
        await_in_step(lab)


def await_in_step(lab: Lab) -> None:
    """Wait until all nodes are in step, and agree on it.

    A node that was frozen says *Synced* for a while after it wakes. If the other nodes died in this moment,
    what only they have committed would be lost.
    """
    if not waiting.wait(lambda: _is_in_step(lab), seconds=60, pause=PAUSE):
        raise AssertionError(f"the nodes are not in step: {[_state(node) for node in lab.cluster.nodes]}")


def _is_in_step(lab: Lab) -> bool:
    states = [_state(node) for node in lab.cluster.nodes]
    return states[0][:2] == (SYNCED, str(len(states))) and len(set(states)) == 1


def _state(node: Node) -> tuple[str, ...]:
    """What the node says of itself: its state, the size of the cluster, the number of its configuration."""
    return tuple(map(node.status, STATE))


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
