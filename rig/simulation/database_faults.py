"""Faults of the databases: lost connections, conflicts, refused values, a server that is down or full."""

import random
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from orders_service.processes import DATABASES
from rig.simulation.database import (
    DEADLOCK,
    FOR_UPDATE,
    LOCK_TIMEOUT,
    SERVER_LOST,
    Server,
    ServerError,
    Transaction,
)
from rig.simulation.session import open_engine
from rig.simulation.world import Process, World

CHANGED, WRONG_VALUE = 1020, 1366
WRITES = ("INSERT", "UPDATE", "DELETE")
# What a server answers to a write: read-only, disk full, no privilege, a column is missing.
NO_WRITES = (1290, 1114, 1142, 1054)
REFUSED_SECONDS = 3.0


class DataError(sqlite3.DataError):
    """A value that the column cannot hold."""


class DatabaseFaults:
    """Lets statements and commits fail. *kill* kills the process of the present task."""

    def __init__(
        self,
        world: World,
        chances: Mapping[str, random.Random],
        *,
        kill: Callable[[str, random.Random], None],
        next_order_id: Callable[[], str],
    ) -> None:
        self._world = world
        self._chances = chances
        self._kill = kill
        self._next_order_id = next_order_id
        self._down: dict[str, float] = {}  # Until when a server answers nothing.
        self._no_writes: dict[str, tuple[float, int]] = {}  # Until when it refuses writes, with which error.
        self._refused = ""
        self.refused_orders: set[str] = set()  # The orders whose values a server has refused.
        self.events: dict[str, Callable[[random.Random], None]] = {
            "lease": self._expire_leases,
            "refused-order": self._refuse_order,
            "database-down": self._stop,
            "no-writes": self._refuse_writes,
        }
        for name, server in world.servers.items():
            server.before = partial(self._before, name, server)
            server.after_commit = partial(self._after_commit, server)

    def end(self) -> None:
        """Let nothing fail any more."""
        for server in self._world.servers.values():
            server.before, server.after_commit = lambda *_: None, lambda *_: None

    def _before(
        self, name: str, server: Server, session: Transaction, sql: str, values: Sequence[Any]
    ) -> None:
        if not isinstance(session.owner, Process):
            return  # A person's command, which has faults enough without these.
        if self._down.get(name, 0.0) > self._world.scheduler.now:
            server.drop(session)
            raise ServerError(SERVER_LOST, "Lost connection to server during query")
        if self._happens("crash", 0.003):
            self._kill(f"before {sql.split()[0]}", self._chances["crash"])
        if self._happens("lost-connection", 0.006):
            self._lose(server, session, f"before {sql.split()[0]}")
        if sql == "COMMIT" and self._happens("failed-commit", 0.03):
            self._world.note(session.owner.name, "COMMIT fails")
            raise ServerError(DEADLOCK, "conflict at COMMIT")
        if sql.startswith(WRITES) or sql.endswith(FOR_UPDATE):
            self._before_write(name, server, session, sql, values)

    def _before_write(
        self, name: str, server: Server, session: Transaction, sql: str, values: Sequence[Any]
    ) -> None:
        until, code = self._no_writes.get(name, (0.0, 0))
        if until > self._world.scheduler.now:
            raise ServerError(code, "the server takes no writes")
        if self._happens("conflict", 0.01):
            code = self._chances["conflict"].choice([DEADLOCK, LOCK_TIMEOUT, CHANGED])
            if code == DEADLOCK:
                server.roll_back(session)
            raise ServerError(code, "conflict with another transaction")
        if self._refused and self._refused in values and "outbox" not in sql:
            self.refused_orders.add(self._refused)
            raise DataError(WRONG_VALUE, "Incorrect string value")

    def _after_commit(self, server: Server, session: Transaction) -> None:
        if isinstance(session.owner, Process):
            if self._happens("crash", 0.01):
                self._kill("right after COMMIT", self._chances["crash"])
            if self._happens("lost-connection", 0.01):
                self._lose(server, session, "after COMMIT")

    def _happens(self, kind: str, rate: float) -> bool:
        chance = self._chances.get(kind)
        return chance is not None and chance.random() < rate

    def _lose(self, server: Server, session: Transaction, when: str) -> None:
        self._world.note(getattr(session.owner, "name", ""), f"connection lost: {when}")
        server.drop(session)
        raise ServerError(SERVER_LOST, "Lost connection to server during query")

    def _expire_leases(self, _: random.Random) -> None:
        self._world.note("time", "leases expire")
        for database in DATABASES:
            with open_engine(self._world.servers[database], autocommit=True).connect() as connection:
                connection.exec_driver_sql("UPDATE leases SET expires_at = '2020-01-01 00:00:00'")

    def _refuse_order(self, chance: random.Random) -> None:
        """Refuse every write that names one order, as for a value that a column cannot hold."""
        if not self._refused:
            known = list(self._world.laws.orders)
            is_new = not known or chance.random() < 0.5
            self._refused = self._next_order_id() if is_new else chance.choice(known)
            self._world.note("databases", f"refuse an order: {self._refused}, for {REFUSED_SECONDS} s")
            self._world.later(REFUSED_SECONDS, self._accept)

    def _accept(self) -> None:
        self._refused = ""

    def _stop(self, chance: random.Random) -> None:
        database, seconds = chance.choice(DATABASES), chance.choice([0.2, 2.0, 20.0])
        self._world.note(f"{database} database", f"down: for {seconds} s")
        self._down[database] = self._world.scheduler.now + seconds
        server = self._world.servers[database]
        for session in [session for session in server.sessions if session.waits_for is None]:
            server.drop(session)

    def _refuse_writes(self, chance: random.Random) -> None:
        database, seconds = chance.choice(DATABASES), chance.choice([0.2, 2.0, 20.0])
        code = chance.choice(NO_WRITES)
        self._world.note(f"{database} database", f"no writes: error {code} for {seconds} s")
        self._no_writes[database] = self._world.scheduler.now + seconds, code
