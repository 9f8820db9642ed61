"""A connection to MariaDB that asks as seldom as it can: each question is a round trip."""

from typing import Any

import pymysql
from pymysql.connections import MySQLResult
from pymysql.constants.SERVER_STATUS import (
    SERVER_STATUS_IN_TRANS,
    SERVER_STATUS_NO_BACKSLASH_ESCAPES,
)

HELD_BYTES = 1_000_000  # Together, for MariaDB hangs up on who sends it too much. One insert may be larger.


class OneTrip(pymysql.Connection):
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
