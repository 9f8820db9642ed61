"""A URL with several hosts: the next host is used when one is down, hangs or is read-only."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from signal import SIGCONT, SIGSTOP

import pytest
from sqlalchemy import Connection, Engine, select, text
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.orm import Session

from lab import LabError
from lab.accounts import password
from lab.mariadb import MariaDB
from lab.ports import Ports, free_ports
from orders_service.api.database import READER
from orders_service.database import bounds
from orders_service.database.bounds import HOST_READ_SECONDS, HOST_SECONDS
from orders_service.database.engines import open_engine
from orders_service.database.errors import error_code
from orders_service.database.hosts import hosts_of, place_of
from orders_service.database.sessions import REFUSED
from orders_service.database.transactions import in_transaction
from orders_service.database_url import parse
from rig import waiting
from rig.databases import Databases
from rig.waiting import await_true
from tests.api.kit import ORDERS, Api
from tests.database.test_connecting import SERVERS, answering
from tests.database.things import THINGS, Base, things

pytestmark = pytest.mark.real

NAME = "several"
KINDS = ("orders", "catalog")
COLUMNS = "information_schema.COLUMNS"
SLOW = f"SELECT COUNT(*) FROM {COLUMNS} a, {COLUMNS} b, {COLUMNS} c"


@dataclass
class Pair:
    """Two servers that do not know each other, with the same database and user."""

    one: MariaDB
    two: MariaDB

    @property
    def both(self) -> str:
        return self.url(self.one.where, self.two.where)

    def url(self, *hosts: str, name: str = NAME) -> str:
        return f"mariadb+pymysql://{name}:{password(name)}@{','.join(hosts)}/{name}?charset=utf8mb4"

    def heal(self) -> None:
        """Run both servers, writable and with empty tables."""
        for server in (self.one, self.two):
            server.signal(SIGCONT)
            server.start()
            say(server, "SET GLOBAL read_only = 0", f"DELETE FROM {NAME}.things")
        hosts_of.cache_clear()  # Otherwise this process would remember what failed in another test.


def say(server: MariaDB, *statements: str) -> None:
    with server.connect() as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    found = [MariaDB(tmp_path_factory.mktemp("server"), Ports.free()) for _ in range(2)]
    try:
        for server in found:
            server.start()
            engine = open_engine(server.create_database(NAME))
            Base.metadata.create_all(engine)
            engine.dispose()
        yield Pair(*found)
    except LabError as error:
        pytest.skip(f"MariaDB cannot run here: {error}")
    finally:
        for server in found:
            server.signal(SIGCONT)
            server.kill()


@pytest.fixture
def pair(servers: Pair) -> Iterator[Pair]:
    servers.heal()
    yield servers
    for server in (servers.one, servers.two):
        server.signal(SIGCONT)


@pytest.fixture(params=[True, False], ids=["one trip", "plain"])
def engine(pair: Pair, request: pytest.FixtureRequest) -> Iterator[Engine]:
    opened = open_engine(pair.both, one_trip=request.param)
    yield opened
    opened.dispose()


@pytest.fixture
def two_orders_databases(pair: Pair) -> Databases:
    """The service's databases on both servers."""
    for server in (pair.one, pair.two):
        single = Databases.on(server, "h")
        single.migrate()
        single.dispose()
    orders, catalog = (pair.url(pair.one.where, pair.two.where, name=f"{name}_h") for name in KINDS)
    return Databases(orders, catalog)


def port_of(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.scalar(text("SELECT @@port")))


def add(number: int, engine: Engine) -> None:
    def work(connection: Connection) -> None:
        THINGS.write(connection, [(number, None)])

    with engine.connect() as connection:
        in_transaction(connection, work)


def numbers(pair: Pair, server: MariaDB) -> list[object]:
    engine = open_engine(pair.url(server.where))
    found = [row[0] for row in things(engine)]
    engine.dispose()
    return found


def test_the_first_host_is_used_while_it_is_up(pair: Pair, engine: Engine) -> None:
    assert port_of(engine) == pair.one.ports[0]


def test_a_host_that_refuses_is_skipped(pair: Pair) -> None:
    engine = open_engine(pair.url(f"127.0.0.1:{free_ports(1)[0]}", pair.two.where))

    assert port_of(engine) == pair.two.ports[0]

    engine.dispose()


def test_a_host_that_talks_nonsense_is_skipped(pair: Pair) -> None:
    with answering(*SERVERS["nonsense"]) as url:
        engine = open_engine(pair.url(str(parse(url).hosts[0]), pair.two.where))

        assert port_of(engine) == pair.two.ports[0]

        engine.dispose()


def test_a_user_whom_one_host_does_not_know_is_let_in_by_the_next(pair: Pair) -> None:
    pair.two.create_database("only_here")
    url = f"mariadb+pymysql://only_here:{password('only_here')}@{pair.one.where},{pair.two.where}/only_here"
    engine = open_engine(url)

    assert port_of(engine) == pair.two.ports[0]

    engine.dispose()


def test_a_killed_server_is_left_within_one_transaction(pair: Pair, engine: Engine) -> None:
    add(1, engine)

    pair.one.kill()
    add(2, engine)

    assert numbers(pair, pair.two) == [2]


def test_a_frozen_server_costs_a_new_connection_less_than_two_seconds(pair: Pair, engine: Engine) -> None:
    pair.one.signal(SIGSTOP)

    began = time.monotonic()
    port = port_of(engine)

    assert port == pair.two.ports[0]
    assert time.monotonic() - began < waiting.seconds(2)


def test_a_frozen_host_is_not_tried_again_at_once(pair: Pair, engine: Engine) -> None:
    pair.one.signal(SIGSTOP)
    port_of(engine)

    began = time.monotonic()
    with engine.connect(), engine.connect(), engine.connect():
        pass

    assert time.monotonic() - began < HOST_SECONDS * waiting.factor()


def test_a_ping_of_a_frozen_server_is_as_short(pair: Pair) -> None:
    engine = open_engine(pair.both)
    port_of(engine)
    pair.one.signal(SIGSTOP)

    began = time.monotonic()
    port = port_of(engine)

    assert port == pair.two.ports[0]
    assert time.monotonic() - began < waiting.seconds(2)
    engine.dispose()


def test_an_order_is_placed_while_the_first_server_hangs(two_orders_databases: Databases, pair: Pair) -> None:
    with Api.on(two_orders_databases) as api:
        first = api.place()
        pair.one.signal(SIGSTOP)

        began = time.monotonic()
        second = api.place()
        seconds = time.monotonic() - began

        assert (first.status_code, second.status_code) == (201, 201)
        assert HOST_READ_SECONDS <= seconds < waiting.seconds(6)
        assert api.get(second.headers["Location"]).status_code == 200


def test_nobody_is_refused_while_the_first_server_hangs(
    two_orders_databases: Databases, pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert HOST_READ_SECONDS < bounds.POOL_SECONDS
    monkeypatch.setattr(bounds, "POOL_SECONDS", waiting.seconds(bounds.POOL_SECONDS))

    def ask(number: int) -> int:
        return (api.cancel("none") if number % 2 else api.get(f"{ORDERS}/none")).status_code

    with Api.on(two_orders_databases, API_THREADS="2") as api, ThreadPoolExecutor(12) as people:
        assert set(people.map(ask, range(12))) == {404}
        assert [port_of(api.engine(bind)) for bind in (None, READER)] == [pair.one.ports[0]] * 2
        pair.one.signal(SIGSTOP)

        began = time.monotonic()
        statuses = set(people.map(ask, range(12)))
        seconds = time.monotonic() - began

    assert statuses == {404}
    assert seconds < waiting.seconds(6)


def test_a_slow_query_is_ended_by_the_server_which_is_not_left(
    two_orders_databases: Databases, pair: Pair
) -> None:
    with Api.on(two_orders_databases) as api:
        engine = api.engine(READER)
        with pytest.raises(OperationalError) as raised, engine.connect() as connection:
            connection.execute(text(SLOW))

        assert error_code(raised.value) == 1969  # max_statement_time
        assert port_of(engine) == pair.one.ports[0]


def test_a_read_only_host_is_skipped(pair: Pair, engine: Engine) -> None:
    say(pair.one, "SET GLOBAL read_only = 1")

    add(1, engine)

    assert numbers(pair, pair.two) == [1]


def test_a_host_that_becomes_read_only_is_left_by_every_engine(pair: Pair, engine: Engine) -> None:
    other = open_engine(pair.both)
    assert port_of(other) == port_of(engine) == pair.one.ports[0]
    say(pair.one, "SET GLOBAL read_only = 1")

    add(1, engine)

    assert numbers(pair, pair.two) == [1]
    assert port_of(other) == pair.two.ports[0]
    other.dispose()


def test_without_a_writable_host_a_read_only_one_is_read_until_it_can_be_written_to(
    pair: Pair, engine: Engine
) -> None:
    for server in (pair.one, pair.two):
        say(server, "SET GLOBAL read_only = 1")

    assert port_of(engine) == pair.one.ports[0]
    with pytest.raises(DBAPIError) as caught:
        add(1, engine)
    assert error_code(caught.value) in REFUSED
    say(pair.two, "SET GLOBAL read_only = 0")

    add(2, engine)

    assert numbers(pair, pair.two) == [2]


def test_a_read_only_host_is_left_after_seconds_even_by_a_reader(pair: Pair, engine: Engine) -> None:
    for server in (pair.one, pair.two):
        say(server, "SET GLOBAL read_only = 1")
    assert port_of(engine) == pair.one.ports[0]
    say(pair.two, "SET GLOBAL read_only = 0")

    await_true(lambda: port_of(engine) == pair.two.ports[0], "the connection moves to the writable host")


def test_an_error_names_every_host_but_not_the_password(pair: Pair) -> None:
    ports = free_ports(2)
    engine = open_engine(pair.url(*(f"127.0.0.1:{port}" for port in ports)))

    with pytest.raises(OperationalError) as caught:
        port_of(engine)

    told = str(caught.value)
    assert all(f"127.0.0.1:{port}: " in told for port in ports)
    assert (password(NAME) in told, "\n" in told) == (False, False)
    engine.dispose()


def test_a_single_host_is_asked_nothing_more(pair: Pair) -> None:
    """MariaDB counts the statements of a session: several hosts need one more for each new connection."""
    counted = []
    for url in (pair.url(pair.one.where), pair.both):
        engine = open_engine(url, one_trip=True)
        with engine.connect() as connection:
            counted.append(int(connection.execute(text("SHOW SESSION STATUS LIKE 'Questions'")).one()[1]))
        engine.dispose()

    assert counted[1] == counted[0] + 1


def test_only_a_connection_to_one_of_several_hosts_has_a_place(pair: Pair) -> None:
    seen = []
    for url in (pair.url(pair.one.where), pair.both):
        engine = open_engine(url)
        with Session(engine) as session:
            session.execute(select(1))
            seen.append(place_of(session))
        engine.dispose()

    assert seen[0] is None
    assert seen[1] is not None
    assert seen[1].host == parse(pair.both).hosts[0]
    assert (seen[1].is_spare, seen[1].is_galera) == (False, False)
