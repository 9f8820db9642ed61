"""Finds MariaDB's programs: on PATH, otherwise from the archive in the lock file."""

import os
import platform
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import which
from typing import TextIO

from .artifacts import locked, unpacked
from .errors import NotForThisPlatform

SECTION = "mariadb"


@dataclass(frozen=True)
class Programs:
    """The paths of MariaDB's programs."""

    origin: str
    server: Path
    install: Path
    client: Path | None

    @property
    def base(self) -> Path:
        return self.server.parent.parent


@cache
def programs(out: TextIO | None = None, section: str = SECTION) -> Programs:
    """MariaDB on PATH, otherwise unpacked from the archive. `LAB_MARIADB` (`path` or `jar`) forces one.

    Another *section* of the lock file has another version, which is not looked for on PATH.
    """
    if section != SECTION:
        return _from_lock(out or sys.stderr, section)
    choice = os.environ.get("LAB_MARIADB", "")
    found = _on_path() if choice != "jar" else None
    if found:
        return found
    if choice == "path":
        raise NotForThisPlatform("LAB_MARIADB=path, but `mariadbd` or `mariadb-install-db` is not on PATH")
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise NotForThisPlatform(
            f"there is no MariaDB in the lock for {platform.system()} {platform.machine()}: "
            "install MariaDB, so that `mariadbd` is on PATH"
        )
    return _from_lock(out or sys.stderr, section)


def _on_path() -> Programs | None:
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    server = which("mariadbd", path=path)
    install = which("mariadb-install-db", path=path) or which("mysql_install_db", path=path)
    client = which("mariadb", path=path)
    if not server or not install:
        return None
    return Programs(
        "MariaDB on PATH", Path(server).resolve(), Path(install), Path(client) if client else None
    )


def _from_lock(out: TextIO, section: str) -> Programs:
    (jar,) = locked(section)
    (base,) = unpacked(jar, out).glob("**/linux")
    for program in (*base.glob("bin/*"), *base.glob("scripts/*")):
        if not os.access(program, os.X_OK):  # A .jar does not store file modes.
            program.chmod(0o755)
    origin = f"MariaDB {jar.version}"
    return Programs(origin, base / "bin/mariadbd", base / "scripts/mariadb-install-db", base / "bin/mariadb")
