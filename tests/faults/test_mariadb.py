"""MariaDB is killed, restarted or read-only; the network to it loses commits and their answers."""

import time

import pytest

from tests.faults.stage import Stage

pytestmark = [pytest.mark.real, pytest.mark.faults]

COMMIT = b"\x03COMMIT"
STALL_SECONDS = 12  # Longer than a process waits for an answer.


def test_mariadb_is_killed(stage: Stage) -> None:
    with stage.ordering() as customers:
        stage.lab.mariadb.kill()
        stage.lab.mariadb.start()
        customers.await_accepted(40)

    stage.settle()


def test_mariadb_is_restarted(stage: Stage) -> None:
    with stage.ordering() as customers:
        stage.lab.mariadb.stop()
        stage.lab.mariadb.start()
        customers.await_accepted(40)

    stage.settle()


def test_mariadb_is_read_only_for_a_while(stage: Stage) -> None:
    with stage.ordering() as customers, stage.lab.mariadb.connect() as root, root.cursor() as cursor:
        cursor.execute("SET GLOBAL read_only = 1")
        accepted = customers.accepted
        time.sleep(3)
        meanwhile = customers.accepted - accepted
        cursor.execute("SET GLOBAL read_only = 0")
        customers.await_accepted(40)

    stage.settle()
    assert meanwhile <= customers.crowd


def test_connections_are_cut_before_a_commit_arrives(stage: Stage) -> None:
    with stage.ordering() as customers:
        stage.network.lose_request(COMMIT, times=30)
        customers.await_accepted(100)

    stage.settle()
    assert stage.network.lost_all


def test_connections_are_cut_when_a_commit_is_answered(stage: Stage) -> None:
    with stage.ordering() as customers:
        stage.network.lose_reply(COMMIT, times=30)
        customers.await_accepted(100)

    stage.settle()
    assert stage.network.lost_all


def test_all_connections_are_cut_again_and_again(stage: Stage) -> None:
    with stage.ordering() as customers:
        for _ in range(10):
            stage.network.cut()
            customers.await_accepted(10)

    stage.settle()


def test_the_network_stalls_and_then_delivers_what_was_given_up(stage: Stage) -> None:
    with stage.ordering() as customers:
        with stage.network.stalled():
            time.sleep(STALL_SECONDS)
        customers.await_accepted(40)

    stage.settle()
