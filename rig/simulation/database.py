"""A simulated MariaDB: SQLite in memory, with sessions that are isolated as at READ COMMITTED.

SQLite lets one transaction write at a time, and has no row locks. MariaDB lets many write: each session
sees what is committed and its own changes, and a change of a row that another session has locked waits. So
does the simulation. It has one SQLite connection and, for each session, the rows that it has written and not
committed. When another session acts, the SQLite transaction is rolled back; when this one acts again, its
rows are written again. `tests/rig/simulation/database/` asks the real MariaDB the same questions.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Engine

from orders_service.database import bounds
from rig.simulation.scheduler import EPOCH, Scheduler
from rig.simulation.tables import Key, Row, Table

FOR_UPDATE = " /* FOR UPDATE */"
DEADLOCK, LOCK_TIMEOUT, SERVER_LOST = 1213, 1205, 2013


class ServerError(sqlite3.OperationalError):
    """An error of the simulated server, with MariaDB's number."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(code, text)


@dataclass(eq=False)
class Transaction:
    """The server's view of a session: its process *owner*, and its open transaction."""

    owner: object
    active_at: float
    writes: dict[Key, Row | None] = field(default_factory=dict)  # The rows as it has written them.
    locks: dict[Key, None] = field(default_factory=dict)
    waits_for: "Transaction | None" = None
    lost: bool = False

    def require(self) -> None:
        """Raise the error of a lost connection, if it is lost."""
        if self.lost:
            raise ServerError(SERVER_LOST, "Lost connection to server during query")


class _Locked(Exception):
    def __init__(self, key: Key) -> None:
        super().__init__(key)
        self.key = key


class Server:
    """One database, and the sessions that are connected to it. It serves one history after the other."""

    def __init__(self, template: sqlite3.Connection) -> None:
        """*template* has the tables and the rows that every history begins with."""
        self._template = template
        self._sqlite = sqlite3.connect(":memory:", isolation_level=None)
        template.backup(self._sqlite)
        names = self._sqlite.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        self.tables = {name: Table(self._sqlite, name) for (name,) in names if not name.startswith("sqlite_")}
        self._sqlite.execute("CREATE TEMP TABLE changed (name TEXT, row INTEGER, verb TEXT)")
        for name in self.tables:
            for verb, row in (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD")):
                self._sqlite.execute(
                    f"CREATE TEMP TRIGGER {name}_{verb} AFTER {verb} ON main.{name}"
                    f" BEGIN INSERT INTO changed VALUES ('{name}', {row}.rowid, '{verb}'); END"
                )
        self.engines: dict[tuple[bool, bool], Engine] = {}  # See `session.open_engine`.
        self._resident: Transaction | None = None

    def begin(self, scheduler: Scheduler) -> None:
        """Begin a history: with the template's rows, and without sessions."""
        if self._resident is not None:
            self._sqlite.execute("ROLLBACK")
        self._template.backup(self._sqlite)
        self.scheduler = scheduler
        self.before: Callable[[Transaction, str, Sequence[Any]], None] = lambda *_: (
            None
        )  # May raise an error.
        self.after_commit: Callable[[Transaction], None] = lambda *_: None  # May raise an error, too.
        self.committed: Callable[[Mapping[Key, Row | None]], None] = lambda _: None
        self.sessions: list[Transaction] = []
        self._locks: dict[Key, Transaction] = {}
        self._resident = None  # The session whose writes are in the SQLite transaction.
        self._last_number = {
            table.name: self._sqlite.execute(f"SELECT max({table.numbers}) FROM {table.name}").fetchone()[0]
            or 0
            for table in self.tables.values()
            if table.numbers
        }

    def close(self) -> None:
        """Release the memory."""
        self._sqlite.close()

    def now(self) -> datetime:
        """The server's clock."""
        return EPOCH + timedelta(seconds=self.scheduler.now)

    def rows(self, sql: str) -> list[Row]:
        """The rows of a query on what is committed."""
        self._admit(None)
        return self._sqlite.execute(sql).fetchall()

    def drop(self, session: Transaction) -> None:
        """End a session, as the server does when its client is gone. Rolls back what it did not commit."""
        self.roll_back(session)
        session.lost = True
        if session in self.sessions:
            self.sessions.remove(session)

    def drop_idle(self) -> None:
        """End the sessions that have left a transaction open for too long."""
        for session in list(self.sessions):
            idle = self.scheduler.now - session.active_at
            if idle > bounds.IDLE_TRANSACTION_SECONDS and session.locks and session.waits_for is None:
                self.drop(session)

    def run(self, session: Transaction, sql: str, values: Sequence[Any], many: bool) -> sqlite3.Cursor:
        """Execute a statement in the session's transaction, after the locks that it needs are free."""
        sql = sql.replace("'now'", f"'{self.now():%Y-%m-%d %H:%M:%S.%f}'")
        if sql.endswith(FOR_UPDATE):
            self._await(session, lambda: self._locks_of_read(session, sql, values))
        if sql.startswith("SELECT") or sql.startswith("PRAGMA"):
            self._admit(session)
            return self._sqlite.execute(sql, values)
        cursor: sqlite3.Cursor = self._await(session, lambda: self._write(session, sql, values, many))
        return cursor

    def commit(self, session: Transaction) -> None:
        """Commit what the session has written, and release its locks."""
        if session.writes:
            self._admit(session)
            self._sqlite.execute("COMMIT")
            self._resident = None
            writes = dict(session.writes)
            self._end(session)
            self.committed(writes)
        else:
            self._end(session)

    def roll_back(self, session: Transaction) -> None:
        """Forget what the session has written, and release its locks."""
        if self._resident is session:
            self._sqlite.execute("ROLLBACK")
            self._resident = None
        self._end(session)

    def _end(self, session: Transaction) -> None:
        session.writes.clear()
        for key in session.locks:
            del self._locks[key]
        session.locks.clear()

    def _admit(self, session: Transaction | None) -> None:
        """Let SQLite show what is committed and what *session* has written, and nothing else."""
        if self._resident is session:
            return
        if self._resident is not None:
            self._sqlite.execute("ROLLBACK")
            self._resident = None
        if session is not None and session.writes:
            self._begin(session)

    def _begin(self, session: Transaction) -> None:
        self._sqlite.execute("BEGIN")
        self._resident = session
        for (name, *key), row in session.writes.items():
            table = self.tables[name]
            if row is None:
                self._sqlite.execute(table.erase, key)
            else:
                self._sqlite.execute(table.write, row)
        self._sqlite.execute("DELETE FROM changed")

    def _await(self, session: Transaction, attempt: Callable[[], Any]) -> Any:
        """Repeat *attempt* until no other session has a lock that it needs."""
        while True:
            try:
                return attempt()
            except _Locked as locked:
                self._wait_for(session, locked.key)

    def _wait_for(self, session: Transaction, key: Key) -> None:
        holder: Transaction | None = self._locks[key]
        while holder is not None:
            if holder is session:
                self.roll_back(session)
                raise ServerError(DEADLOCK, "Deadlock found when trying to get lock")
            holder = holder.waits_for
        session.waits_for = self._locks[key]
        try:
            freed = self.scheduler.wait(lambda: key not in self._locks or session.lost, bounds.LOCK_SECONDS)
        finally:
            session.waits_for = None
        session.require()
        if not freed:
            raise ServerError(LOCK_TIMEOUT, "Lock wait timeout exceeded")

    def _locks_of_read(self, session: Transaction, sql: str, values: Sequence[Any]) -> None:
        """Lock the rows that a SELECT … FOR UPDATE returns."""
        self._admit(session)
        (name,) = re.findall(r"FROM (\w+)", sql)
        self._lock_found(session, self.tables[name], sql, values)
        whole = re.sub(r"^SELECT .*?\sFROM", "SELECT * FROM", sql, count=1, flags=re.DOTALL)
        found = self._sqlite.execute(whole, values).fetchall()
        self._lock(session, (key for row in found for key in self.tables[name].locks(row)))

    def _write(self, session: Transaction, sql: str, values: Sequence[Any], many: bool) -> sqlite3.Cursor:
        if changed := re.match(r"(?:UPDATE|DELETE FROM) (\w+)", sql):
            table = self.tables[changed[1]]
            for some in values if many else [values]:
                self._lock_found(session, table, sql, some)
        self._admit(session)
        if self._resident is None:
            self._begin(session)
        self._sqlite.execute("SAVEPOINT statement")
        try:
            cursor = (self._sqlite.executemany if many else self._sqlite.execute)(sql, values)
            writes = self._changes()
            self._lock(session, (key for row_key, row in writes.items() for key in self._keys(row_key, row)))
        except BaseException:
            self._sqlite.execute("ROLLBACK TO statement")
            raise
        finally:
            self._sqlite.execute("RELEASE statement")
        session.writes |= writes
        return cursor

    def _changes(self) -> dict[Key, Row | None]:
        """The rows that the last statement wrote, as they are now. None stands for a deleted row."""
        changed = self._sqlite.execute("SELECT name, row, verb FROM changed").fetchall()
        self._sqlite.execute("DELETE FROM changed")
        found: dict[Key, Row | None] = {}
        moved = self._numbered([(name, row) for name, row, verb in changed if verb == "INSERT"])
        for name, number, verb in changed:
            table = self.tables[name]
            if verb == "DELETE":
                assert table.numbers, f"no statement of ours deletes from {name}"
                found[name, number] = None
                continue
            by = "SELECT * FROM {} WHERE rowid = ?"
            (row,) = self._sqlite.execute(by.format(name), (moved.get((name, number), number),)).fetchall()
            found[table.row_key(row)] = row
        return found

    def _numbered(self, inserted: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Give new rows numbers that no session has had, for SQLite sees only the rows of this one."""
        moved: dict[tuple[str, int], int] = {}
        for name, number in inserted:
            if numbers := self.tables[name].numbers:
                last = self._last_number[name]
                self._last_number[name] = moved[name, number] = max(number, last + 1)
        for (name, number), new in reversed(moved.items()):
            if new != number:
                numbers = self.tables[name].numbers
                self._sqlite.execute(f"UPDATE {name} SET {numbers} = ? WHERE rowid = ?", (new, number))
        self._sqlite.execute("DELETE FROM changed")
        return moved

    def _keys(self, row_key: Key, row: Row | None) -> Iterable[Key]:
        name, *key = row_key
        return [(name, 0, *key)] if row is None else self.tables[name].locks(row)

    def _lock_found(self, session: Transaction, table: Table, sql: str, values: Sequence[Any]) -> None:
        """Wait for the entries of unique indexes by which a statement finds its rows.

        InnoDB keeps the lock of an entry that is not in the primary key, even if the row does not match.
        """
        keys = list(table.looked_up(sql, values))
        self._require_free(session, keys)
        self._admit(session)
        for name, number, value in keys:
            column = table.columns[table.keys[number][0]]
            exists = f"SELECT 1 FROM {name} WHERE {column} = ?"
            if number and self._sqlite.execute(exists, (value,)).fetchone():
                self._lock(session, [(name, number, value)])

    def _require_free(self, session: Transaction, keys: Iterable[Key]) -> None:
        for key in keys:
            if self._locks.get(key, session) is not session:
                raise _Locked(key)

    def _lock(self, session: Transaction, keys: Iterable[Key]) -> None:
        wanted = list(keys)
        self._require_free(session, wanted)
        self._locks.update(dict.fromkeys(wanted, session))
        session.locks.update(dict.fromkeys(wanted))
