"""A server that speaks MariaDB's protocol and has the lab's accounts: MariaDB, or a proxy before it."""

from contextlib import suppress

import pymysql

from .accounts import database_of_its_own, password
from .ports import HOST
from .server import Server


class DatabaseServer(Server):
    """Its first port is where clients connect."""

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

    def connect(self, read_timeout: float | None = None) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        """A connection as root."""
        return pymysql.connect(
            host=HOST,
            port=self.ports[0],
            user="root",
            password=password("root"),
            autocommit=True,
            connect_timeout=2,
            read_timeout=read_timeout,
            ssl_disabled=True,  # On loopback. TLS would first load all certificates.
        )

    def answers(self) -> bool:
        with suppress(pymysql.Error), self.connect() as connection, connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            return True
        return False
