"""A transaction's inserts and its COMMIT in one round trip to MariaDB."""

from typing import Any

import pymysql
from pymysql.connections import MySQLResult
from pymysql.constants.SERVER_STATUS import SERVER_STATUS_IN_TRANS


class OneTrip(pymysql.Connection):
    """Holds inserts back until something needs them: the COMMIT, or whatever else is asked.

    They go as one compound statement, which ends at the first error. So what an insert raises is raised
    later, by the COMMIT at the latest, and how many rows it wrote and which numbers they got is not known.
    """

    server_status: int

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._held: list[bytes] = []
        super().__init__(*arguments, **options)

    def query(self, sql: str | bytes | bytearray, unbuffered: bool = False) -> int:
        text = sql.encode(self.encoding) if isinstance(sql, str) else bytes(sql)
        if not text.startswith(b"INSERT "):
            self._send()
            return super().query(text, unbuffered)
        self._held.append(text)
        # For whoever asks whether to roll back; an error of the server does not say.
        self.server_status |= SERVER_STATUS_IN_TRANS
        self._result = MySQLResult(self)
        self._result.affected_rows = 0
        return 0

    def commit(self) -> None:
        if self._held:
            self._send(b"COMMIT")
        else:
            super().commit()

    def rollback(self) -> None:
        self._held.clear()
        super().rollback()

    def _send(self, *end: bytes) -> None:
        if self._held:
            block = b"BEGIN NOT ATOMIC %s; END" % b"; ".join([*self._held, *end])
            self._held.clear()
            super().query(block)
