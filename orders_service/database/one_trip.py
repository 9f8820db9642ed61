"""PyMySQL connections that open quickly, whose SQL means the same in every mode of the server; and one that
sends a transaction's INSERTs together with its COMMIT."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, Protocol

import pymysql
from pymysql.connections import MySQLResult
from pymysql.constants.CR import CR_SERVER_LOST
from pymysql.constants.SERVER_STATUS import (
    SERVER_STATUS_AUTOCOMMIT,
    SERVER_STATUS_IN_TRANS,
    SERVER_STATUS_NO_BACKSLASH_ESCAPES,
)

from orders_service.database import bounds
from orders_service.database.results import Result
from orders_service.database_url import Host

CHECKED = "1.2.4"  # The version of PyMySQL whose private methods the classes below override.

# INSERTs are held back up to this sum: MariaDB closes the connection for a statement longer than
# `max_allowed_packet`. One INSERT alone may be larger.
HELD_BYTES = 1_000_000

# The first statement of each session sets this variable and this mode. A reset of the session clears both.
SESSION_MARK = "@orders_service"
SQL_MODE = "STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_BACKSLASH_ESCAPES"
SESSION_FLAGS = SERVER_STATUS_NO_BACKSLASH_ESCAPES | SERVER_STATUS_AUTOCOMMIT
RESET = "the session was reset between this process and the server, perhaps by a proxy"
WRITES = (b"INSERT ", b"UPDATE ", b"DELETE ")
UNLESS_RESET = (
    f"IF {SESSION_MARK} IS NULL THEN SIGNAL SQLSTATE '08S01' SET MYSQL_ERRNO = {CR_SERVER_LOST},"
    f" MESSAGE_TEXT = '{RESET}'; END IF"
).encode()


def quoted(text: str) -> str:
    """*text* as an SQL literal that is safe with and without backslash escapes, and in any client charset.

    A session can lose its settings unnoticed, when a proxy resets it (COM_RESET_CONNECTION). The introducer
    `_utf8mb4` changes neither the literal's collation in a comparison nor the index that is used.
    """
    if "\\" in text:
        return f"_utf8mb4 X'{text.encode().hex()}'"
    if "'" in text:
        text = text.replace("'", "''")
    return f"'{text}'" if text.isascii() else f"_utf8mb4'{text}'"


class Place(Protocol):
    """The host of a connection, if the URL names several: see `hosts.py`."""

    host: Host
    is_galera: bool
    is_spare: bool

    def require_current(self) -> None: ...

    def fail(self, reason: str) -> None: ...


class GuardedConnection(pymysql.Connection):
    """A connection that opens quickly, and that closes when it notices that its session was reset.

    It skips loading the system's CA bundle (15 ms) when the server's certificate is not verified. A session
    that was reset has lost its isolation level, its SQL mode and its open transaction, and commits each
    statement by itself. So the connection counts as lost: it refuses to write, and the transaction is retried
    on another one. The check before each write costs the server 7 µs.
    """

    server_status: int
    autocommit_mode: bool
    place: Place | None = None
    _set_up = False

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._set_up = True

    def limit_reads(self, seconds: float | None) -> None:
        """Set the time-out for each read from the server from now on; None for no limit."""
        self._read_timeout = seconds

    @contextmanager
    def brief_reads(self) -> Iterator[None]:
        """Wait for a reply as long as for a connection to one of several hosts, until the block ends."""
        seconds: float | None = self._read_timeout
        self.limit_reads(bounds.HOST_SECONDS)
        try:
            yield
        finally:
            self.limit_reads(seconds)

    def ping(self, reconnect: Any = False) -> None:
        """Raise an error if the connection is lost. With several hosts it waits for a short time only."""
        if self.place is None:
            super().ping(reconnect)
            return
        self.place.require_current()
        try:
            with self.brief_reads():
                super().ping(reconnect)
        except pymysql.Error as error:
            if isinstance(error.__context__, TimeoutError):
                self.place.fail("it hangs")  # Do not wait for it again at once.
            raise

    def _create_ssl_ctx(self, options: dict[str, Any] | ssl.SSLContext) -> ssl.SSLContext:
        return super()._create_ssl_ctx(options) if options else _unchecked()  # type: ignore[misc]

    def escape(self, obj: object, mapping: Any = None) -> str:
        # The most common types first, without PyMySQL's look-up of a converter.
        if type(obj) is str:
            return quoted(obj)
        if type(obj) is int:
            return str(obj)
        if obj is None:
            return "NULL"
        if isinstance(obj, str):
            return quoted(str.__str__(obj))
        return super().escape(obj, mapping)

    def query(self, sql: str | bytes | bytearray, unbuffered: bool = False) -> int:
        text = sql.encode(self.encoding) if isinstance(sql, str) else bytes(sql)
        if self._set_up and text.startswith(WRITES) and not _returns_rows(text):
            text = _compound(text)
        return super().query(text, unbuffered)

    def _read_query_result(self, unbuffered: bool = False) -> int:
        self._result: MySQLResult | None = None
        result = Result(self)
        if unbuffered:
            result.init_unbuffered_query()
        else:
            result.read()
        self._result = result
        if result.server_status is not None:
            self.server_status = result.server_status
            self._end_if_reset(result.server_status)
        elif result.status_behind_rows is not None:
            self._end_if_reset(result.status_behind_rows)
        return result.affected_rows or 0

    def _read_ok_packet(self) -> Any:
        packet = super()._read_ok_packet()  # type: ignore[misc]
        self._end_if_reset(packet.server_status)
        return packet

    def _end_if_reset(self, status: int) -> None:
        ours = SERVER_STATUS_NO_BACKSLASH_ESCAPES | (SERVER_STATUS_AUTOCOMMIT if self.autocommit_mode else 0)
        if self._set_up and status & SESSION_FLAGS != ours:
            self._force_close()  # type: ignore[attr-defined]
            raise pymysql.OperationalError(CR_SERVER_LOST, RESET)


def _returns_rows(text: bytes) -> bool:
    """Whether the statement has a RETURNING clause at its end: a compound statement would return no rows.

    Every text literal ends with a quote, so there is no text value behind the last quote. SQLAlchemy writes
    this clause for an object whose key the database generates, and Alembic for its version.
    """
    return b" RETURNING " in text[text.rfind(b"'") + 1 :]


def _compound(*statements: bytes) -> bytes:
    """One compound statement. It ends at the first error, or at once if the session was reset."""
    return b"BEGIN NOT ATOMIC %s; END" % b"; ".join([UNLESS_RESET, *statements])


@cache
def _unchecked() -> ssl.SSLContext:
    """An SSL context that verifies nothing: PyMySQL's own for optional encryption, without the CA bundle."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class BufferedConnection(GuardedConnection):
    """A connection that holds INSERTs back, and sends them with the COMMIT, or before any other statement.

    They are sent as one compound statement, which ends at the first error. So an INSERT's error is raised
    later, by the COMMIT at the latest, and its row count and generated keys are unknown. With autocommit,
    COMMIT and ROLLBACK are sent only if a transaction is open.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        self._held: list[bytes] = []
        super().__init__(*arguments, **options)

    def query(self, sql: str | bytes | bytearray, unbuffered: bool = False) -> int:
        text = sql.encode(self.encoding) if isinstance(sql, str) else bytes(sql)
        if not text.startswith(b"INSERT "):
            self._send()
            return super().query(text, unbuffered)
        if sum(map(len, self._held)) + len(text) > HELD_BYTES:
            self._send()
        self._held.append(text)
        # Marks the session as in a transaction, so that the pool rolls it back when it returns: an error
        # packet carries no status flags.
        self.server_status |= SERVER_STATUS_IN_TRANS
        self._result = result = MySQLResult(self)
        result.affected_rows = 0
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
        # The driver does not notice a transaction that a SELECT began.
        return not self.get_autocommit() or bool(self.server_status & SERVER_STATUS_IN_TRANS)

    def _send(self, *end: bytes) -> None:
        if self._held:
            block = _compound(*self._held, *end)
            self._held.clear()
            super().query(block)
