"""A real MariaDB, set up as Debezium needs it."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import pymysql

from .accounts import accounts, database_of_its_own, password
from .data import make_data
from .errors import WrongServers
from .ports import HOST, Ports
from .private import private, write
from .programs import Programs, programs
from .server import Server


class MariaDB(Server):
    """One server with a ROW binlog, the service's two databases and the users of everything in the lab."""

    def __init__(self, home: Path, ports: Ports) -> None:
        super().__init__("mariadb", home, (ports.mariadb,))
        self.data = self.folder / "data"

    @property
    def mark(self) -> str:
        return f"--datadir={self.data}"

    @property
    def root_url(self) -> str:
        return self.url("", user="root")

    def url(self, database: str, *, user: str) -> str:
        where = f"{user}:{password(user)}@{self.where}/{database}"
        return f"mariadb+pymysql://{where}?charset=utf8mb4"

    def create_database(self, name: str) -> str:
        """Create a database and a user of the same name. Return its URL."""
        with self.connect() as connection, connection.cursor() as cursor:
            for statement in database_of_its_own(name):
                cursor.execute(statement)
        return self.url(name, user=name)

    def connect(self) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        """A connection as root."""
        return pymysql.connect(
            host=HOST,
            port=self.ports[0],
            user="root",
            password=password("root"),
            autocommit=True,
            connect_timeout=2,
        )

    def fetch(self, out: TextIO) -> None:
        self._programs(out)

    def prepare(self) -> None:
        write(self.folder / "init.sql", "".join(f"{statement};\n" for statement in accounts()))
        made_by = self.folder / "made-by"
        private(self._temporary)
        if not self.data.exists():
            write(made_by, self._programs().origin)
            make_data(self, self.data, self._install)
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

    def answers(self) -> bool:
        try:
            with self.connect() as connection, connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except pymysql.Error:
            return False
        return True

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
