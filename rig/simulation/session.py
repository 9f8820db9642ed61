"""The sessions of a simulated database, as SQLAlchemy sees them: dialect, DB-API connections, cursors."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine, NullPool, create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.base import SQLiteCompiler
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from rig.simulation.database import FOR_UPDATE, SERVER_LOST, Server, Transaction
from rig.simulation.tables import Row


class Compiler(SQLiteCompiler):
    """Marks the statements that lock the rows they read, which SQLite does not know."""

    def for_update_clause(self, select: Any, **_: Any) -> str:
        return FOR_UPDATE


class Dialect(SQLiteDialect_pysqlite):
    """The dialect of the simulated server: SQLite's, but for row locks and lost connections."""

    statement_compiler = Compiler
    supports_statement_cache = True

    def is_disconnect(self, e: Any, connection: Any, cursor: Any) -> bool:
        return bool(e.args) and e.args[0] == SERVER_LOST


registry.register("sqlite.simulated", __name__, "Dialect")


def open_engine(server: Server, *, autocommit: bool = False, hold_inserts: bool = False) -> Engine:
    """An engine whose sessions belong to the process that opens them; see `database/engines.py`."""
    key = autocommit, hold_inserts
    if key not in server.engines:  # An engine remembers the statements that it has compiled.
        server.engines[key] = create_engine(
            "sqlite+simulated://",
            creator=lambda: Connection(server, autocommit=autocommit, hold_inserts=hold_inserts),
            poolclass=NullPool,
        )
    return server.engines[key]


class Connection(Transaction):
    """A session, as SQLAlchemy sees it: a DB-API connection. Its process is the one whose task opened it."""

    isolation_level = None

    def __init__(self, server: Server, *, autocommit: bool, hold_inserts: bool) -> None:
        task = server.scheduler.current
        super().__init__(task.owner if task else None, server.scheduler.now)
        self.server = server
        self.autocommit = autocommit
        self.hold_inserts = hold_inserts
        self._held: list[tuple[str, Sequence[Any], bool]] = []
        server.sessions.append(self)

    def execute(self, sql: str, values: Sequence[Any] = (), *, many: bool = False) -> "Result":
        """Execute a statement. An INSERT may be held back, as by `database/one_trip.py`."""
        if self.hold_inserts and sql.startswith("INSERT"):
            self._held.append((sql, values, many))
            return Result()
        self._send()
        result = self._run(sql, values, many)
        if self.autocommit and self.writes:
            self._commit()
        return result

    def commit(self) -> None:
        self._send()
        if not self.autocommit:
            self._enter("COMMIT", ())
            self._commit()

    def rollback(self) -> None:
        self._held.clear()
        self.server.roll_back(self)

    def close(self) -> None:
        self.server.drop(self)

    def cursor(self) -> "Cursor":
        return Cursor(self)

    def create_function(self, *_: Any, **__: Any) -> None:
        """SQLAlchemy adds functions to each SQLite connection. No statement of ours uses them."""

    def _send(self) -> None:
        held, self._held = self._held, []
        for sql, values, many in held:
            self._run(sql, values, many)
        if held and self.autocommit:
            self._commit()

    def _commit(self) -> None:
        self.server.commit(self)
        self.server.after_commit(self)
        self.require()

    def _run(self, sql: str, values: Sequence[Any], many: bool) -> "Result":
        if not sql.startswith("PRAGMA"):
            self._enter(sql, values)
        cursor = self.server.run(self, sql, values, many)
        return Result(cursor.description, cursor.rowcount, cursor.lastrowid, cursor.fetchall())

    def _enter(self, sql: str, values: Sequence[Any]) -> None:
        """Before each statement other tasks may run, and the world may let it fail."""
        self.server.scheduler.pause()
        self.require()
        self.server.before(self, sql, values)
        self.active_at = self.server.scheduler.now


@dataclass(frozen=True)
class Result:
    """What a statement returned, read at once: an open cursor would keep SQLite busy."""

    description: Any = None
    rowcount: int = 0
    lastrowid: int | None = None
    rows: Sequence[Row] = ()


class Cursor:
    """A DB-API cursor. It has read all rows when `execute` returns."""

    arraysize = 1

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._rows: Iterator[Row] = iter(())
        self.description: Any = None
        self.rowcount = -1
        self.lastrowid: int | None = None

    def execute(self, sql: str, values: Sequence[Any] = ()) -> None:
        self._take(self._connection.execute(sql, values))

    def executemany(self, sql: str, values: Sequence[Sequence[Any]]) -> None:
        self._take(self._connection.execute(sql, values, many=True))

    def fetchone(self) -> Row | None:
        return next(self._rows, None)

    def fetchmany(self, size: int | None = None) -> list[Row]:
        return [row for _, row in zip(range(size or self.arraysize), self._rows, strict=False)]

    def fetchall(self) -> list[Row]:
        return list(self._rows)

    def close(self) -> None:
        self._rows = iter(())

    def _take(self, result: Result) -> None:
        self.description, self.rowcount, self.lastrowid = (
            result.description,
            result.rowcount,
            result.lastrowid,
        )
        self._rows = iter(result.rows)
