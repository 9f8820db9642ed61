"""Connections to MariaDB that are soon made, and one that asks as seldom as it can."""

import ssl
from functools import cache
from typing import Any

import pymysql
from pymysql.connections import MySQLResult
from pymysql.constants.SERVER_STATUS import (
    SERVER_STATUS_IN_TRANS,
    SERVER_STATUS_NO_BACKSLASH_ESCAPES,
)

HELD_BYTES = 1_000_000  # Together, for MariaDB hangs up on who sends it too much. One insert may be larger.


class SoonMade(pymysql.Connection):
    """Where no certificate is to be checked it loads none. All that the system trusts would take it 15 ms."""

    def _create_ssl_ctx(self, options: dict[str, Any] | ssl.SSLContext) -> ssl.SSLContext:
        return super()._create_ssl_ctx(options) if options else _unchecked()  # type: ignore[misc]


@cache
def _unchecked() -> ssl.SSLContext:
    """What PyMySQL makes for each connection that is to be encrypted if the server can, and no more."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class OneTrip(SoonMade):
    """Holds inserts back until something needs them: the COMMIT, or whatever else is asked.

    They go as one compound statement, which ends at the first error. So what an insert raises is raised
    later, by the COMMIT at the latest, and how many rows it wrote and which numbers they got is not known.
    With autocommit, COMMIT and ROLLBACK are sent only where something is open.
    """

    server_status: int

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._held: list[bytes] = []
        super().__init__(*arguments, **options)

    def escape(self, obj: object, mapping: Any = None) -> str:
        # Most values, without asking what else they might be.
        if type(obj) is str and self.server_status & SERVER_STATUS_NO_BACKSLASH_ESCAPES:
            return "'" + obj.replace("'", "''") + "'" if "'" in obj else f"'{obj}'"
        if type(obj) is int:
            return str(obj)
        return super().escape(obj, mapping)

    def query(self, sql: str | bytes | bytearray, unbuffered: bool = False) -> int:
        text = sql.encode(self.encoding) if isinstance(sql, str) else bytes(sql)
        if not text.startswith(b"INSERT "):
            self._send()
            return super().query(text, unbuffered)
        if sum(map(len, self._held)) + len(text) > HELD_BYTES:
            self._send()
        self._held.append(text)
        # For whoever asks whether to roll back; an error of the server does not say.
        self.server_status |= SERVER_STATUS_IN_TRANS
        self._result = MySQLResult(self)
        self._result.affected_rows = 0
        return 0

    def commit(self) -> None:
        if self._held:
            self._send(b"COMMIT")
        elif self._may_be_open:
            super().commit()

    def rollback(self) -> None:
        self._held.clear()
        if self._may_be_open:
            super().rollback()

    @property
    def _may_be_open(self) -> bool:
        # Of a transaction that a SELECT began, the driver does not know.
        return not self.get_autocommit() or bool(self.server_status & SERVER_STATUS_IN_TRANS)

    def _send(self, *end: bytes) -> None:
        if self._held:
            block = b"BEGIN NOT ATOMIC %s; END" % b"; ".join([*self._held, *end])
            self._held.clear()
            super().query(block)
