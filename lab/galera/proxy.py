"""The proxy before a Galera cluster: HAProxy, with the settings of a deployment."""

import os
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from shutil import which
from typing import TextIO

from ..database_server import DatabaseServer
from ..debian import unpacked
from ..ports import HOST, Ports

SETTINGS = Path(__file__).resolve().parents[2] / "docker/databases.cfg"
# The libraries of HAProxy that a machine without it may lack.
LIBRARIES = ("liblua5.3-0", "libopentracing-c-wrapper0", "libopentracing1")


class Proxy(DatabaseServer):
    """Leads all clients to one node that is in step, and to another one when that fails."""

    def __init__(self, home: Path, ports: Ports) -> None:
        super().__init__("mariadb-proxy", home, (ports.mariadb,))
        self._nodes = ports.nodes

    @property
    def stage(self) -> int:
        return 2

    @property
    def mark(self) -> str:
        return str(self.folder)

    def fetch(self, out: TextIO) -> None:
        program(out)
        libraries()

    def prepare(self) -> None:
        """Its settings are a file of the repository."""

    def command(self) -> list[str]:
        return [str(program()), "-db", "-C", self.mark, "-f", str(SETTINGS)]

    def environment(self) -> Mapping[str, str]:
        nodes = {f"MARIADB_{number}": f"{HOST}:{port}" for number, port in enumerate(self._nodes, 1)}
        return nodes | {"DATABASES": self.where} | libraries()


@cache
def program(out: TextIO = sys.stderr) -> Path:
    """HAProxy on PATH, otherwise from Debian's package, which is unpacked."""
    return _installed() or unpacked("haproxy", out) / "usr/sbin/haproxy"


def _installed() -> Path | None:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    found = which("haproxy", path=path)
    return Path(found) if found else None


@cache
def libraries() -> dict[str, str]:
    """Where an unpacked HAProxy finds its libraries."""
    if _installed():
        return {}
    folders = [folder for name in LIBRARIES for folder in unpacked(name, sys.stderr).glob("usr/lib/*")]
    return {"LD_LIBRARY_PATH": os.pathsep.join(map(str, folders))}
