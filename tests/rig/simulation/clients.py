"""Clients whose statements a test interleaves step by step: on the simulated database and on MariaDB.

The simulated client is a task, the real one a thread. Both execute what the test gives them, one work after
the other, in a session of their own.
"""

import math
import random
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from lab.database_server import DatabaseServer
from orders_service.database.engines import open_engine
from orders_service.processes import DatabaseName
from rig import waiting
from rig.databases import Databases
from rig.simulation import session
from rig.simulation.history import servers
from rig.simulation.scheduler import Scheduler

SECONDS = 15.0  # Each work ends within this time on an idle machine, if it need not wait for a lock.
# Not `innodb_trx`: that table stays as it was until nobody has read it for 0.1 s.
LOCK_WAITS = "SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'"
T = TypeVar("T")


@dataclass
class Work(Generic[T]):
    """What a client executes, and its outcome."""

    todo: Callable[[Session], T]
    outcome: list[T] = field(default_factory=list)
    error: Exception | None = None

    @property
    def has_ended(self) -> bool:
        return bool(self.outcome or self.error)

    def run(self, opened: Session) -> None:
        try:
            self.outcome.append(self.todo(opened))
        except Exception as error:
            self.error = error


class Client(Protocol):
    """A client with a session of its own."""

    database: DatabaseName

    def give(self, work: Work[Any]) -> None:
        """Let it execute *work*, as soon as it has executed what it was given before."""

    def end(self) -> None:
        """Close its session. What it did not commit is rolled back."""


class Stage(Protocol):
    """Where clients and a database meet: a simulated one, or MariaDB."""

    works: list[Work[Any]]  # All that the clients were given.

    def open(self, database: DatabaseName, *, hold_inserts: bool, autocommit: bool) -> Client:
        """A client of *database*, with the options of `open_engine`."""

    def wait(self, ready: Callable[[], bool]) -> bool:
        """Let the clients work until *ready*. False if it is not ready in time."""

    def lock_waits(self) -> int:
        """How many clients wait for a lock."""

    def disconnect(self, client: Client) -> None:
        """End the session of a client that executes nothing, as the server may do at any time."""

    def close(self) -> None:
        """End all clients."""


@dataclass
class Running(Generic[T]):
    """A work that a client has begun."""

    stage: Stage
    work: Work[T]

    @property
    def waits(self) -> bool:
        """Whether it waits for a lock. It is watched until it does, or has ended."""
        stage, work = self.stage, self.work

        def all_wait() -> bool:
            return stage.lock_waits() == sum(not one.has_ended for one in stage.works)

        assert stage.wait(lambda: work.has_ended or all_wait()), "it hangs"
        return not work.has_ended

    def result(self) -> T:
        """What the work returns, or the error that it raises."""
        if error := self.error():
            raise error
        return self.work.outcome[0]

    def error(self) -> Exception | None:
        """The error that the work raises; None if it ends well."""
        assert self.stage.wait(lambda: self.work.has_ended), "it hangs"
        return self.work.error


@dataclass
class Player:
    """A client on its stage, as a test uses it."""

    stage: Stage
    client: Client

    def start(self, todo: Callable[[Session], T]) -> Running[T]:
        """Begin a work that may have to wait."""
        work = Work(todo)
        self.stage.works.append(work)
        self.client.give(work)
        return Running(self.stage, work)

    def do(self, todo: Callable[[Session], T]) -> T:
        """Execute a work that waits for nobody."""
        return self.start(todo).result()

    def commit(self) -> None:
        self.do(lambda opened: opened.commit())

    def roll_back(self) -> None:
        self.do(lambda opened: opened.rollback())


Open = Callable[..., Player]


class SimulatedClient:
    """A task of the scheduler."""

    def __init__(self, scheduler: Scheduler, database: DatabaseName, engine: Engine) -> None:
        self.database = database
        self._scheduler = scheduler
        self._engine = engine
        self._works: deque[Work[Any]] = deque()
        scheduler.spawn("client", self._serve, owner=self)

    def give(self, work: Work[Any]) -> None:
        self._works.append(work)

    def end(self) -> None:
        self._scheduler.kill(self)

    def _serve(self) -> None:
        with Session(self._engine) as opened:
            while self._scheduler.wait(lambda: bool(self._works), math.inf):
                self._works.popleft().run(opened)


class SimulatedStage:
    """The simulated databases."""

    def __init__(self) -> None:
        self.scheduler = Scheduler(random.Random(0))
        self.works: list[Work[Any]] = []
        self._clients: list[SimulatedClient] = []
        for server in servers().values():
            server.begin(self.scheduler)
        self.scheduler.spawn("server", self._drop_idle, owner=self)

    def open(self, database: DatabaseName, *, hold_inserts: bool, autocommit: bool) -> Client:
        engine = session.open_engine(servers()[database], hold_inserts=hold_inserts, autocommit=autocommit)
        self._clients.append(SimulatedClient(self.scheduler, database, engine))
        return self._clients[-1]

    def wait(self, ready: Callable[[], bool]) -> bool:
        until = self.scheduler.now + SECONDS
        while not ready():
            if self.scheduler.now > until:
                return False
            self.scheduler.run_one()
        return True

    def lock_waits(self) -> int:
        return sum(bool(one.waits_for) for server in servers().values() for one in server.sessions)

    def disconnect(self, client: Client) -> None:
        server = servers()[client.database]
        for one in [one for one in server.sessions if one.owner is client]:
            server.drop(one)

    def close(self) -> None:
        for owner in (*self._clients, self):
            self.scheduler.kill(owner)

    def _drop_idle(self) -> None:
        while True:
            self.scheduler.sleep(0.5)
            for server in servers().values():
                server.drop_idle()


class RealClient:
    """A thread."""

    def __init__(self, database: DatabaseName, engine: Engine) -> None:
        self.database = database
        self._engine = engine
        self._works: SimpleQueue[Work[Any] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def give(self, work: Work[Any]) -> None:
        self._works.put(work)

    def end(self) -> None:
        self._works.put(None)

    def join(self) -> None:
        self._thread.join()

    def _serve(self) -> None:
        with Session(self._engine) as opened:
            while work := self._works.get():
                work.run(opened)
        self._engine.dispose()


class RealStage:
    """The lab's MariaDB."""

    def __init__(self, mariadb: DatabaseServer, databases: Databases) -> None:
        self.works: list[Work[Any]] = []
        self._root = mariadb.connect()
        self._urls: dict[DatabaseName, str] = {
            "orders": databases.orders_url,
            "catalog": databases.catalog_url,
        }
        self._clients: list[RealClient] = []

    def open(self, database: DatabaseName, *, hold_inserts: bool, autocommit: bool) -> Client:
        engine = open_engine(
            self._urls[database],
            pool_size=1,
            read_seconds=None,
            one_trip=hold_inserts,
            autocommit=autocommit,
        )
        self._clients.append(RealClient(database, engine))
        return self._clients[-1]

    def wait(self, ready: Callable[[], bool]) -> bool:
        return waiting.wait(ready, seconds=SECONDS, pause=0.005)

    def lock_waits(self) -> int:
        return int(self._ask(LOCK_WAITS)[1])

    def disconnect(self, client: Client) -> None:
        number = Player(self, client).do(_number)
        self._ask(f"KILL CONNECTION {number}")
        gone = f"SELECT count(*) = 0 FROM information_schema.processlist WHERE id = {number}"
        assert self.wait(lambda: bool(self._ask(gone)[0]))

    def close(self) -> None:
        for client in self._clients:
            client.end()
        for client in self._clients:
            client.join()
        self._root.close()

    def _ask(self, sql: str) -> Any:
        """The first row of the answer."""
        with self._root.cursor() as cursor:
            cursor.execute(sql)
            return cursor.fetchone()


def _number(opened: Session) -> int:
    """The server's number of the session's connection."""
    driver: Any = opened.connection().connection.driver_connection
    return int(driver.thread_id())
