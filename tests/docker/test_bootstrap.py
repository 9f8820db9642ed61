"""When a node of a Galera cluster bootstraps it: `docker/mariadb/start.sh`, with stand-ins for what it calls.

`docker/try ha` starts, kills and stops real nodes.
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.docker.compose import ROOT

NO_ID = "00000000-0000-0000-0000-000000000000"
ALONE, IN_A_CLUSTER = "exit 1", "echo Primary"
BOOTSTRAPS = "--wsrep-new-cluster"
RECOVERED = "aa:591"  # The position that the server finds in its tables.


class Node:
    """A data folder, and the script as if it were in a container."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data"
        self.data.mkdir()
        (folder / "bin").mkdir()
        (folder / "orders.cnf").write_text("[mariadbd]\nwsrep_on = ON\n")
        script = (ROOT / "docker/mariadb/start.sh").read_text()
        for path, own in (
            ("/var/lib/mysql", self.data),
            ("/etc/mysql/conf.d/orders.cnf", folder / "orders.cnf"),
            ("/ask.sh", folder / "bin/ask.sh"),
        ):
            script = script.replace(path, str(own))
        self.script = folder / "start.sh"
        self.script.write_text(script)
        self.command("docker-entrypoint.sh", 'echo "$@"')
        self.command("mariadbd", f"echo 'WSREP: Recovered position: {RECOVERED}' >&2")
        self.command("sleep", "exit 0")
        self.command("ask.sh", ALONE)

    def command(self, name: str, does: str) -> None:
        """Let a command do something else."""
        path = self.folder / "bin" / name
        path.write_text(f"#!/bin/bash\n{does}\n")
        path.chmod(0o755)

    def note(self, uuid: str, number: int, *, safe: bool = False, before: bool = False) -> None:
        """Write Galera's state, now or *before* anything else."""
        state = self.data / "grastate.dat"
        state.write_text(f"# state\nuuid:    {uuid}\nseqno:   {number}\nsafe_to_bootstrap: {safe:d}\n")
        os.utime(state, (1, 1)) if before else None

    def start(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run the script with these words, by default as a server with one option."""
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        command = ["bash", str(self.script), *(words or ("--server-id=1",))]
        env = os.environ | {"PATH": path, "HOSTNAME": "mariadb"}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_a_node_without_data_bootstraps_only_if_it_is_told(node: Node) -> None:
    first = node.start()
    told = node.start("bootstrap")
    second = node.start()

    assert BOOTSTRAPS not in first.stdout
    assert "mariadb bootstrap" in first.stderr
    assert "this node has no data" in told.stdout
    assert BOOTSTRAPS in second.stdout


def test_it_is_told_for_one_start(node: Node) -> None:
    node.start("bootstrap")
    node.note("aa", -1)

    assert BOOTSTRAPS not in node.start().stdout


def test_the_last_node_that_stopped_bootstraps_the_cluster_again(node: Node) -> None:
    node.note("aa", 7, safe=True)

    assert node.start().stdout.split() == ["--server-id=1", "--wsrep-start-position=aa:7", BOOTSTRAPS]


@pytest.mark.parametrize("told", [False, True])
def test_no_node_bootstraps_beside_a_cluster(node: Node, told: bool) -> None:
    node.note("aa", 7, safe=not told, before=True)
    if told:
        node.start("bootstrap")
    node.command("ask.sh", IN_A_CLUSTER)

    assert BOOTSTRAPS not in node.start().stdout
    refused = node.start("bootstrap")
    assert (refused.returncode, refused.stdout) == (1, "")


def test_a_crashed_node_starts_with_what_its_tables_have(node: Node) -> None:
    node.note("aa", -1)

    assert node.start().stdout.split() == ["--server-id=1", f"--wsrep-start-position={RECOVERED}"]
    assert node.start("position").stdout == f"{RECOVERED}\n"


def test_a_node_whose_tables_cannot_be_asked_says_why_and_does_not_start(node: Node) -> None:
    node.note("aa", -1)
    node.command("mariadbd", "echo 'the tables are locked' >&2; exit 1")

    for words in ((), ("position",)):
        refused = node.start(*words)
        assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", "the tables are locked\n")


def test_a_node_that_was_killed_while_tables_were_changed_is_in_doubt(node: Node) -> None:
    node.note(NO_ID, -1)
    (node.data / "mysql").mkdir()

    assert node.start("position").stdout.startswith("in doubt")
    assert BOOTSTRAPS not in node.start().stdout


def test_the_node_with_the_newest_data_is_told(node: Node) -> None:
    node.note("aa", 5, before=True)
    node.start("bootstrap")

    assert BOOTSTRAPS in node.start().stdout
    assert "safe_to_bootstrap: 1" in (node.data / "grastate.dat").read_text()


def test_another_command_is_only_run(node: Node) -> None:
    node.start("bootstrap")

    assert node.start("mariadb", "--version").stdout == "mariadb --version\n"


def test_a_mariadb_alone_is_only_started(node: Node) -> None:
    (node.folder / "orders.cnf").write_text("[mariadbd]\n")

    assert node.start().stdout == "--server-id=1\n"


def test_the_options_for_the_position_are_the_servers(node: Node) -> None:
    script, compose = node.script.read_text(), (ROOT / "docker/compose.yaml").read_text()
    options = script.partition("options=(")[2].partition(")")[0].split()

    assert len(options) == 3
    assert all(f"      - {option}\n" in compose for option in options)
