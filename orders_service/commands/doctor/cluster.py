"""The check of a Galera cluster, through one of its nodes."""

from collections.abc import Mapping
from dataclasses import replace

from sqlalchemy import text
from sqlalchemy.orm import Session

from orders_service.commands.doctor.finding import Finding, fine, warning

STATUS = text("SHOW GLOBAL STATUS LIKE 'wsrep\\_%'")
MEMBERS = text("SELECT @@GLOBAL.wsrep_cluster_address, @@GLOBAL.wsrep_node_name")
PAUSED_SHARE = 0.05  # Of the time since the node started.
CONFLICT_SHARE = 0.01  # Of the transactions that the node sent to the others.


def check(session: Session) -> Finding | None:
    """The cluster's size and the node's state, and what slows it down; None without Galera."""
    status = {str(row[0]): str(row[1]) for row in session.execute(STATUS)}
    if "wsrep_local_state_comment" not in status:
        return None
    address, name = session.execute(MEMBERS).one()
    return judge(status, members=len(str(address).removeprefix("gcomm://").split(",")), name=str(name))


def judge(status: Mapping[str, str], *, members: int, name: str) -> Finding:
    """The finding for the status of the node *name*, whose configuration names *members* nodes."""
    size, state = int(status["wsrep_cluster_size"]), status["wsrep_local_state_comment"]
    sent = int(status["wsrep_replicated"])
    failed = int(status["wsrep_local_cert_failures"]) + int(status["wsrep_local_bf_aborts"])
    paused = float(status["wsrep_flow_control_paused"])
    seen = f"{name}, {state}, in a Galera cluster of {size}"
    if state != "Synced":
        return warning(seen, "if it lasts, lead the service to a node that is Synced")
    if size < members:
        return warning(f"{seen}, of {members} nodes in its configuration", "start the other nodes")
    if paused > PAUSED_SHARE:
        do = "look for a slow node: wsrep_local_recv_queue_avg is highest there"
        return warning(f"{seen}; flow control has stopped all writers for {paused:.0%} of the time", do)
    if failed > sent * CONFLICT_SHARE:
        do = "lead all clients of a database to one node: by a proxy, or by the same hosts in every URL"
        return warning(f"{seen}; {failed} of {sent} transactions lost against one of another node", do)
    return fine(seen)


def joined(seen: str, finding: Finding | None) -> Finding:
    """The finding of a connection, with what was found out about the cluster behind it."""
    return replace(finding, seen=f"{seen}, {finding.seen}") if finding else fine(seen)
