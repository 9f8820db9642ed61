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
    except (LabError, pymysql.Error):
        for node in lab.cluster.nodes:
            node.kill()
        lab.start(lab.cluster.servers)


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
