"""One node of a Galera cluster."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TextIO

import pymysql

from ..accounts import accounts
from ..debian import unpacked
from ..mariadb import MariaDB
from ..ports import HOST, Ports
from ..private import private
from ..server import START_SECONDS

METHOD = "copy"
STATE = "grastate.dat"
PROVIDER = "usr/lib/galera/libgalera_smm.so"
RECOVERED = re.compile(r"Recovered position: ([0-9a-f-]{36}:-?\d+)")
# A node that does not answer is voted out after 2 s, in which no node commits.
PROVIDER_OPTIONS = "gcache.size=128M;evs.suspect_timeout=PT2S;evs.keepalive_period=PT0.5S"
# What lets a proxy ask a node how it is: an account without a password and without any right.
HEALTH = "CREATE USER IF NOT EXISTS health@'%'"


@cache
def provider(out: TextIO = sys.stderr) -> Path:
    """Galera's library, from Debian's package, which is unpacked. Raises `LabError` if it cannot be had."""
    return unpacked("galera-4", out) / PROVIDER


class Node(MariaDB):
    """A MariaDB whose data is the cluster's. *transfers* is the folder of the state transfers."""

    def __init__(self, number: int, home: Path, ports: Ports, transfers: Path) -> None:
        own = number - 1
        super().__init__(home, replace(ports, mariadb=ports.nodes[own]), name=f"mariadb-{number}")
        self.number = number
        self.ports = (ports.nodes[own], ports.galera[own], ports.ist[own])
        self.bootstraps = False  # Whether it bootstraps the cluster when it is started next.
        self._members = ",".join(f"{HOST}:{port}" for port in ports.galera)
        self._transfers = transfers
        self._position: str | None = None

    @property
    def stage(self) -> int:
        return 0 if self.bootstraps else 1

    @property
    def state(self) -> str:
        found = super().state
        return found if found != "does not answer" else f"is {self.status('wsrep_local_state_comment')}"

    @property
    def _has_state(self) -> bool:
        return (self.data / STATE).exists()

    def answers(self) -> bool:
        """Whether the node is in step with the cluster."""
        return self.status("wsrep_local_state_comment") == "Synced"

    def status(self, name: str) -> str:
        """A status variable of the server; "unreachable" if it cannot be asked."""
        with suppress(pymysql.Error), self.connect(2) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW GLOBAL STATUS LIKE %s", (name,))
            return str((cursor.fetchone() or ("", ""))[1])
        return "unreachable"

    def last_words(self) -> str:
        if "pc.wait_prim_timeout" in self.log.read_text(errors="replace")[-20_000:]:
            return "more than half of the nodes must run: `python -m lab up` starts all"
        return super().last_words()

    def fetch(self, out: TextIO) -> None:
        super().fetch(out)
        provider(out)

    def start(self) -> None:
        try:
            super().start()
        finally:
            self.bootstraps = False

    def prepare(self) -> None:
        super().prepare()
        self._position = None
        self._position = self.position()
        if self.bootstraps and self._has_state:
            state = self.data / STATE
            state.write_text(state.read_text().replace("safe_to_bootstrap: 0", "safe_to_bootstrap: 1"))

    def position(self) -> str | None:
        """The cluster's id and the number of the last transaction that this node has.

        None if it has no state, or only a part of one, as after a state transfer that was broken off.
        """
        if not self._has_state:
            return None
        noted = dict(re.findall(r"^(\w+): +(\S+)$", (self.data / STATE).read_text(), re.MULTILINE))
        if not noted.keys() >= {"uuid", "seqno"}:
            return None
        if int(noted["seqno"]) >= 0:
            return f"{noted['uuid']}:{noted['seqno']}"
        done = subprocess.run(
            [*self.command(), "--wsrep-recover"],
            cwd=self.folder,
            env={**os.environ, **self.environment()},
            capture_output=True,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )
        found = RECOVERED.search(done.stderr)
        return found[1] if found else None

    def forget_view(self) -> None:
        """Forget which nodes there were: the cluster is bootstrapped again."""
        (self.data / "gvwstate.dat").unlink(missing_ok=True)

    def command(self) -> list[str]:
        return [
            *super().command(),
            "--log-slave-updates",
            "--innodb-autoinc-lock-mode=2",
            "--wsrep-on=ON",
            "--plugin-wsrep-provider=OFF",  # Otherwise the provider's options cannot be changed.
            f"--wsrep-provider={provider()}",
            "--wsrep-cluster-name=lab",
            f"--wsrep-node-name={self.name}",
            f"--wsrep-node-address={HOST}:{self.ports[1]}",
            f"--wsrep-cluster-address=gcomm://{self._members}",
            f"--wsrep-sst-method={METHOD}",
            f"--wsrep-sst-receive-address={self.where}",
            # The first node is the usual writer: it should not stop for a state transfer.
            "--wsrep-sst-donor=mariadb-3,mariadb-2,",
            f"--wsrep-provider-options=gmcast.listen_addr=tcp://{HOST}:{self.ports[1]}"
            f";ist.recv_addr={HOST}:{self.ports[2]};{PROVIDER_OPTIONS}",
            *(["--wsrep-new-cluster"] if self.bootstraps else []),
            *([f"--wsrep-start-position={self._position}"] if self._position else []),
        ]

    def environment(self) -> Mapping[str, str]:
        path = os.pathsep.join([str(self._transfers), os.environ.get("PATH", os.defpath)])
        return {**super().environment(), "PATH": path}

    def _statements(self) -> list[str]:
        # The others get the accounts with the data.
        return [*accounts(), HEALTH] if self.bootstraps else []

    def _make_data(self) -> None:
        if self.bootstraps:
            super()._make_data()
        else:
            private(self.data)  # It stays empty: the server asks another node for its state.
