"""What `doctor` says of a Galera cluster, from the status of one of its nodes."""

import pytest

from orders_service.commands.doctor.cluster import joined, judge
from orders_service.commands.doctor.finding import Level

STATUS = {
    "wsrep_cluster_size": "3",
    "wsrep_local_state_comment": "Synced",
    "wsrep_replicated": "1000",
    "wsrep_local_cert_failures": "0",
    "wsrep_local_bf_aborts": "3",
    "wsrep_flow_control_paused": "0.01",
}


def test_a_whole_cluster_is_fine() -> None:
    found = judge(STATUS, members=3, name="mariadb-1")

    assert (found.level, found.seen) == (Level.FINE, "mariadb-1, Synced, in a Galera cluster of 3")


@pytest.mark.parametrize(
    ("changed", "seen"),
    [
        ({"wsrep_cluster_size": "2"}, "of 3 nodes in its configuration"),
        ({"wsrep_local_state_comment": "Donor/Desynced"}, "mariadb-1, Donor/Desynced"),
        ({"wsrep_flow_control_paused": "0.25"}, "for 25% of the time"),
        ({"wsrep_local_cert_failures": "8"}, "11 of 1000 transactions lost"),
    ],
)
def test_what_endangers_or_slows_a_cluster_is_a_warning(changed: dict[str, str], seen: str) -> None:
    found = judge(STATUS | changed, members=3, name="mariadb-1")

    assert found.level is Level.WARNING
    assert seen in found.seen
    assert found.do


def test_the_cluster_is_told_behind_the_connection() -> None:
    finding = judge(STATUS | {"wsrep_cluster_size": "2"}, members=3, name="n1")

    assert joined("connected", finding).seen.startswith("connected, n1, Synced")
    assert joined("connected", finding).level is Level.WARNING
    assert joined("connected", None).level is Level.FINE
