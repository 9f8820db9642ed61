"""A real MariaDB, set up as Debezium needs it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

from .accounts import accounts
from .data import make_data
from .database_server import DatabaseServer
from .errors import WrongServers
from .ports import HOST, Ports
from .private import private, write
from .programs import Programs, programs


class MariaDB(DatabaseServer):
    """One server with a ROW binlog, the service's two databases and the users of everything in the lab."""

    def __init__(self, home: Path, ports: Ports, *, name: str = "mariadb") -> None:
        super().__init__(name, home, (ports.mariadb,))
        self.data = self.folder / "data"

    @property
    def mark(self) -> str:
        return f"--datadir={self.data}"

    def fetch(self, out: TextIO) -> None:
        self._programs(out)

    def prepare(self) -> None:
        write(self.folder / "init.sql", "".join(f"{statement};\n" for statement in self._statements()))
        made_by = self.folder / "made-by"
        private(self._temporary)
        if not self.data.exists():
            write(made_by, self._programs().origin)
            self._make_data()
        elif made_by.read_text() != self._programs().origin:
            raise WrongServers(
                f"the data here was made by {made_by.read_text()}, not by {self._programs().origin}: "
                "`python -m lab reset` first, or choose with LAB_MARIADB=path or LAB_MARIADB=jar"
            )

    def _programs(self, out: TextIO | None = None) -> Programs:
        return programs(out)

    @property
    def _temporary(self) -> Path:
        return self.folder / "tmp"

    def command(self) -> list[str]:
        return [
            str(self._programs().server),
            "--no-defaults",
            f"--basedir={self._programs().base}",
            self.mark,
            f"--port={self.ports[0]}",
            f"--bind-address={HOST}",
            f"--tmpdir={self._temporary}",
            "--socket=mariadb.sock",  # Relative to the data folder: an absolute path may be too long.
            "--skip-name-resolve",
            "--skip-ssl",  # Otherwise 11.4 generates a key at each start, which takes up to 14 s.
            f"--init-file={self.folder / 'init.sql'}",
            "--character-set-server=utf8mb4",
            "--server-id=1",
            "--log-bin=binlog",
            "--binlog-format=ROW",
            "--binlog-row-image=FULL",
            "--binlog-annotate-row-events=0",
            "--log-bin-compress=0",  # With 1 Debezium loses rows silently.
            "--innodb-flush-log-at-trx-commit=1",
            "--sync-binlog=1",  # As `doctor` requires, and as in a deployment.
            *_as_root(),
        ]

    def environment(self) -> Mapping[str, str]:
        return {"UMASK": "0600", "UMASK_DIR": "0700"}

    def _statements(self) -> list[str]:
        """The statements that the server executes at each start."""
        return accounts()

    def _make_data(self) -> None:
        make_data(self, self.data, self._install)

    def _install(self, new: Path, work: Path) -> list[str]:
        return [
            str(self._programs().install),
            "--no-defaults",
            f"--basedir={self._programs().base}",
            f"--datadir={new}",
            f"--tmpdir={work}",  # Its own: a starting server empties it, even while another one uses it.
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            *_as_root(),
        ]


def _as_root() -> list[str]:
    return ["--user=root"] if os.geteuid() == 0 else []
