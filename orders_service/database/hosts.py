"""Connections to a database with several hosts: the first one that can be written to, in the URL's sequence.

A process has one current host. All its connections follow when it changes: a connection to another host is
closed before its next use, so that two requests of a process do not see two servers.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any
from weakref import WeakSet

import pymysql
import structlog
from pymysql.constants.CR import CR_CONN_HOST_ERROR, CR_SERVER_LOST
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from orders_service import runtime
from orders_service.database import one_trip
from orders_service.database.bounds import FAILED_SECONDS, SPARE_SECONDS
from orders_service.database.one_trip import GuardedConnection
from orders_service.database_url import DatabaseUrl, Host

SEVERAL = "several_hosts"  # The execution option of an engine that has several hosts.
STATUS = "(SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = '{}')"
STATE = f"SELECT @@GLOBAL.read_only, {STATUS.format('WSREP_READY')}, {STATUS.format('WSREP_LOCAL_STATE')}"
SYNCED = 4  # The state of a Galera node that is in step. It has none without Galera; a donor has 2.
WRITABLE = ("0", "OFF")
GALERA_STATE = text("SELECT " + STATUS.format("WSREP_LOCAL_STATE"))
ALONE = WeakSet[Engine | Connection]()  # The engines of one server, which is no node of a cluster.
CAUGHT_UP = text("SET STATEMENT wsrep_sync_wait = 1 FOR SELECT 1")

log = structlog.get_logger()


class Place:
    """The host that a connection was opened to, and what the server said of itself then."""

    def __init__(self, hosts: "Hosts", host: Host, connection: GuardedConnection) -> None:
        self._hosts, self.host = hosts, host
        self._opened_at = runtime.monotonic()
        self._is_new = True
        self.is_galera = False
        self.is_spare = self._look(connection)

    def require_current(self) -> None:
        """Raise the error of a lost connection if the process uses, or should look for, another host.

        A new connection is used once in any case. Otherwise SQLAlchemy would raise an error that nobody
        repeats, if another thread moved the process while this one connected.
        """
        if self._is_new:
            self._is_new = False
            return
        expired = self.is_spare and runtime.monotonic() - self._opened_at > SPARE_SECONDS
        if expired or self._hosts.current != self.host:
            raise pymysql.OperationalError(CR_SERVER_LOST, f"left {self.host} for another host")

    def fail(self, reason: str) -> None:
        """Try this host last for a while: its server hangs or refuses to work."""
        self._hosts.fail(self.host, reason)

    def _look(self, connection: GuardedConnection) -> bool:
        """Whether the server should be used only if there is no other one. Raises if it cannot be used."""
        with connection.brief_reads(), connection.cursor() as cursor:
            cursor.execute(STATE)
            read_only, ready, state = cursor.fetchone() or ("0", None, None)
        self.is_galera = state is not None
        if self.is_galera and ready != "ON":
            raise pymysql.OperationalError(
                CR_CONN_HOST_ERROR, "this Galera node is not ready (wsrep_ready=OFF)"
            )
        return str(read_only) not in WRITABLE or (self.is_galera and int(state) != SYNCED)


class Hosts:
    """The hosts of a database, and which of them failed lately."""

    def __init__(self, hosts: tuple[Host, ...]) -> None:
        self._hosts = hosts
        # It has every host from the beginning: a dict that grows cannot be read by another thread meanwhile.
        self._failed_at = dict.fromkeys(hosts, float("-inf"))
        self._reasons = dict.fromkeys(hosts, "")  # Why they were left.
        self._moving = threading.Lock()
        self.current: Host | None = None

    def connect(self, open_one: Callable[[Host], GuardedConnection]) -> GuardedConnection:
        """A connection to the first host that can be written to, or else to the first that can be read."""
        began = runtime.monotonic()
        spare: tuple[Host, GuardedConnection] | None = None
        errors: dict[Host, pymysql.Error] = {}
        for host in self._in_turn():
            try:
                connection = self._open(host, open_one)
            except pymysql.Error as error:
                errors[host] = error
                self.fail(host, _text(error))
                continue
            if connection.place and connection.place.is_spare:
                self._reasons[host] = "it is read-only or not in step"
                if spare:
                    connection.close()
                else:
                    spare = host, connection
                continue
            if spare:
                spare[1].close()
            self._use(host, began)
            return connection
        if spare is None:
            raise _all_failed(errors)
        self._use(spare[0], began)
        return spare[1]

    def fail(self, host: Host, reason: str) -> None:
        """Try *host* last for a while."""
        self._reasons[host] = reason
        self._failed_at[host] = runtime.monotonic()

    def _use(self, host: Host, began: float) -> None:
        """Make *host* the current one, and log it if that is a change.

        If it failed since *began*, when its connection was begun, another thread has left it in the meantime.
        """
        with self._moving:
            previous = self.current
            if previous and self._failed_at[host] > began:
                return
            self.current = host
        if previous and previous != host:
            reason = self._reasons[previous] or "a host before it in the URL is back"
            log.warning(
                "using another host of the database", host=str(host), previous=str(previous), reason=reason
            )
            self._reasons[host] = ""

    def _open(self, host: Host, open_one: Callable[[Host], GuardedConnection]) -> GuardedConnection:
        connection = open_one(host)
        try:
            with connecting():
                connection.place = Place(self, host, connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _in_turn(self) -> list[Host]:
        """All hosts in the URL's sequence, but those that failed lately last: the oldest failure first."""
        since = runtime.monotonic() - FAILED_SECONDS
        return sorted(
            self._hosts, key=lambda host: at if (at := self._failed_at[host]) > since else float("-inf")
        )


@contextmanager
def connecting() -> Iterator[None]:
    """Turn errors that are not PyMySQL's own into one that is.

    It also raises RuntimeError for a missing library and, for malformed answers, KeyError, IndexError and
    struct.error.
    """
    try:
        yield
    except pymysql.Error:
        raise
    except Exception as error:
        # A UnicodeError quotes the text, which may be a password.
        cause = "" if isinstance(error, UnicodeError) else f": {error}"
        text = f"cannot connect: {type(error).__name__}{cause}"
        raise pymysql.OperationalError(CR_CONN_HOST_ERROR, text) from error


@lru_cache(maxsize=16)
def hosts_of(url: DatabaseUrl) -> Hosts:
    """The hosts of a URL. All engines of a process share them."""
    return Hosts(url.hosts)


def place_of(session: Session) -> one_trip.Place | None:
    """The host of the session's connection; None if its URL does not name several."""
    connection: Any = session.connection().connection.dbapi_connection
    return connection.place if isinstance(connection, GuardedConnection) else None


def catch_up(session: Session) -> bool:
    """Wait until the session's server has applied what was committed on every other host.

    False if it is no node of a Galera cluster. Ends the session's transaction.
    """
    engine = session.get_bind()
    if engine in ALONE or engine.dialect.name == "sqlite":
        return False
    place = place_of(session)
    # Behind a proxy the URL names one host.
    is_galera = place.is_galera if place else session.scalar(GALERA_STATE) is not None
    session.rollback()  # In an open transaction the server would not wait.
    if not is_galera:
        if place is None:
            ALONE.add(engine)
        return False
    session.execute(CAUGHT_UP)
    session.rollback()
    return True


def _all_failed(errors: dict[Host, pymysql.Error]) -> pymysql.Error:
    """One error for the errors of all hosts, with the number of the first one."""
    first = next(iter(errors.values()))
    code = first.args[0] if first.args else CR_CONN_HOST_ERROR
    texts = "; ".join(f"{host}: {_text(error)}" for host, error in errors.items())
    return pymysql.OperationalError(code, f"no host can be used: {texts}")


def _text(error: pymysql.Error) -> str:
    return str(error.args[-1] if error.args else error)
