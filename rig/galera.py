"""A real Galera cluster on loopback: the lab's MariaDB with the provider that Debian packages."""

import os
import shutil
import sys
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path

import pymysql

from lab.accounts import password
from lab.debian import unpacked
from lab.mariadb import MariaDB
from lab.ports import HOST, Ports, free_ports
from lab.programs import programs
from rig import waiting
from rig.processes import Process

PROVIDER = "usr/lib/galera/libgalera_smm.so"
METHOD = "rig"
# The program of a state transfer. All nodes begin with the same data, so none ever needs a copy of it. The
# donor tells the joiner through a file its position, and the provider sends what was written since. The
# joiner waits for two minutes: nothing would end it if its server was killed.
TRANSFER = """#!/bin/sh
while [ $# -gt 0 ]; do
    case $1 in
        --role) role=$2; shift ;;
        --address) address=${2%%/*}; shift ;;
        --gtid) position=$2; shift ;;
        --bypass) bypass=1 ;;
    esac
    shift
done
file=${0%/*}/position-${address##*:}
if [ "$role" = joiner ]; then
    rm -f "$file"
    echo "ready $address/rig"
    looks=2400
    until [ -e "$file" ]; do
        [ $((looks -= 1)) -gt 0 ] || exit 1
        sleep 0.05
    done
    cat "$file"
else
    [ "$bypass" ] || exit 1
    echo "$position" > "$file.new" && mv "$file.new" "$file"
    echo "done $position"
fi
"""


@cache
def provider() -> Path:
    """Galera's library, from Debian's package, which is unpacked. Raises `LabError` if it cannot be had."""
    programs()
    return unpacked("galera-4", sys.stderr) / PROVIDER


class Node(MariaDB):
    """One server of a cluster. All start from copies of one data folder, so none needs a state transfer."""

    def __init__(self, number: int, home: Path) -> None:
        port, self.group_port, self.transfer_port, self.state_port = free_ports(4)
        super().__init__(home, replace(Ports(), mariadb=port))
        self.number = number
        self.cluster: list[Node] = []
        self.process: Process | None = None

    def join(self, *, first: bool = False) -> None:
        """Start the server, and wait until it is in step with the cluster. The *first* one founds it."""
        (self.folder / "tmp").mkdir(exist_ok=True)
        command = self.command() + (["--wsrep-new-cluster"] if first else [])
        path = f"{self.folder.parent.parent}:{os.environ['PATH']}"
        self.process = Process(f"node {self.number}", command, {"PATH": path}, self.log, self.folder)
        self.process.start(self.is_synced)

    def command(self) -> list[str]:
        members = ",".join(f"{HOST}:{node.group_port}" for node in self.cluster)
        mine = f"{HOST}:{self.group_port}"
        return [
            *(option for option in super().command() if not option.startswith("--init-file")),
            *("--log-slave-updates", "--innodb-autoinc-lock-mode=2", "--innodb-buffer-pool-size=32M"),
            *("--wsrep-on=ON", f"--wsrep-provider={provider()}", "--wsrep-cluster-name=rig"),
            *(f"--wsrep-node-name=n{self.number}", f"--wsrep-node-address={mine}"),
            f"--wsrep-cluster-address=gcomm://{members}",
            *(f"--wsrep-sst-method={METHOD}", f"--wsrep-sst-receive-address={HOST}:{self.state_port}"),
            f"--wsrep-provider-options=gmcast.listen_addr=tcp://{mine};ist.recv_addr={HOST}:{self.transfer_port}"
            ";gcache.size=16M;evs.suspect_timeout=PT2S;evs.keepalive_period=PT0.5S",
        ]

    def kill_now(self) -> None:
        """Kill the server as in a crash."""
        assert self.process is not None
        self.process.kill()

    def is_synced(self) -> bool:
        """Whether the server is in step with the cluster, and answers queries."""
        with suppress(pymysql.Error):
            return self.status("wsrep_local_state_comment") == "Synced"
        return False

    def status(self, name: str) -> str:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS LIKE %s", (name,))
            return str((cursor.fetchone() or ("", ""))[1])

    def connect(self) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        return pymysql.connect(
            host=HOST,
            port=self.ports[0],
            user="root",
            password=password("root"),
            autocommit=True,
            connect_timeout=2,
            read_timeout=waiting.seconds(20),
        )


class Galera:
    """A cluster of three nodes, for the length of a `with` block."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.nodes = [Node(number, home / f"n{number}") for number in (1, 2, 3)]
        for node in self.nodes:
            node.cluster = self.nodes

    def __enter__(self) -> "Galera":
        transfer = self.home / f"wsrep_sst_{METHOD}"
        transfer.write_text(TRANSFER)
        transfer.chmod(0o700)
        _found(self.home / "seed", self.nodes)
        try:
            for node in self.nodes:
                node.join(first=node.number == 1)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for node in self.nodes:
            if node.process and node.process.exit_code is None:
                node.kill_now()


def _found(home: Path, nodes: list[Node]) -> None:
    """Found the cluster with the first node, stop it, and copy its data folder to the other nodes."""
    seed, first = MariaDB(home, Ports.free()), nodes[0]
    home.mkdir()
    seed.start()
    seed.stop()
    for node in nodes:
        node.folder.mkdir(parents=True)
    shutil.copytree(seed.data, first.data)
    first.join(first=True)
    assert first.process is not None
    first.process.stop()
    for name in ("galera.cache", "gvwstate.dat"):
        (first.data / name).unlink(missing_ok=True)
    for node in nodes[1:]:
        shutil.copytree(first.data, node.data)
