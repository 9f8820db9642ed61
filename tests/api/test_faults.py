"""What a client sees when a database stumbles, and what was written then."""

import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.exc import OperationalError
from werkzeug.test import TestResponse

from orders_service.api.committer import ATTEMPTS
from orders_service.api.database import READER
from orders_service.database import bounds
from rig import waiting
from rig.databases import Databases
from rig.waiting import await_true
from tests.api.kit import ORDERS, Api, assert_nothing_written, assert_problem, member

PLACING = ("INSERT INTO orders", "INSERT INTO outbox", "COMMIT")
CANCELLING = ("SELECT", "UPDATE orders", "INSERT INTO outbox", "COMMIT")
ROW_CHANGED, DUPLICATE, LOCK_WAIT, DEADLOCK, DISK_FULL = 1020, 1062, 1205, 1213, 1021

Act = Callable[[Api, str], TestResponse]
TAKES_ORDERS: dict[str, Act] = {
    "place": lambda api, _: api.place(),
    "place with a key": lambda api, _: api.place(key="k"),
}
ASKS: dict[str, Act] = TAKES_ORDERS | {
    "list": lambda api, _: api.get(ORDERS),
    "show": lambda api, order_id: api.get(f"{ORDERS}/{order_id}"),
    "cancel": lambda api, order_id: api.cancel(order_id),
}


@contextmanager
def failing(api: Api, where: str, code: int, *, times: int = 1) -> Iterator[list[str]]:
    """The orders database refuses the statement *where* with error *code*, *times* in all; the refused ones.

    MariaDB says it itself, by SIGNAL. SQLite knows fewer errors: a duplicate, or that it is locked.
    """
    refused: list[str] = []

    def refuse(cursor: Any, statement: str) -> None:
        if statement.startswith(where) and len(refused) < times:
            refused.append(statement)
            if not api.is_sqlite:
                cursor.execute(f"SIGNAL SQLSTATE '45000' SET MYSQL_ERRNO = {code}, MESSAGE_TEXT = 'induced'")
            if code == DUPLICATE:
                raise sqlite3.IntegrityError("UNIQUE constraint failed: orders.order_id")
            raise sqlite3.OperationalError("database is locked" if code != DISK_FULL else "disk is full")

    def on_execute(cursor: Any, statement: str, *_: object) -> None:
        refuse(cursor, statement)

    def on_commit(connection: Connection) -> None:
        connection.exec_driver_sql("COMMIT")

    with ExitStack() as stack:
        for name, listener in {
            "do_execute": on_execute,
            "do_execute_no_params": on_execute,
            "do_executemany": on_execute,
        }.items():
            stack.enter_context(_listening(api, name, listener))
        if where == "COMMIT":
            stack.enter_context(_listening(api, "commit", on_commit))
        yield refused


@contextmanager
def losing_the_reply(api: Api, *, times: int = 1) -> Iterator[list[int]]:
    """The first commits are done and their replies lost: MariaDB's session is killed. All commits."""
    commits: list[int] = []

    def on_commit(connection: Connection) -> None:
        commits.append(len(commits) + 1)
        if len(commits) > times:
            return
        connection.connection.commit()
        if api.is_sqlite:
            cause = sqlite3.OperationalError("disk I/O error")
            raise OperationalError("COMMIT", None, cause, connection_invalidated=True)
        with api.databases.orders.connect() as other:
            other.exec_driver_sql(f"KILL {connection.connection.dbapi_connection.thread_id()}")  # type: ignore[union-attr]

    with _listening(api, "commit", on_commit):
        yield commits


@contextmanager
def losing_the_connection(api: Api, where: str) -> Iterator[list[int]]:
    """MariaDB's session is killed before the driver is given the statement *where*; the session that was."""
    killed: list[int] = []

    def on_execute(cursor: Any, statement: str, *_: object) -> None:
        if statement.startswith(where) and not killed:
            killed.append(cursor.connection.thread_id())
            with api.databases.orders.connect() as other:
                other.exec_driver_sql(f"KILL {killed[0]}")

    with _listening(api, "do_execute", on_execute), _listening(api, "do_executemany", on_execute):
        yield killed


@contextmanager
def _listening(api: Api, name: str, listener: Callable[..., None]) -> Iterator[None]:
    for engine in api.orders_engines:
        event.listen(engine, name, listener)
    try:
        yield
    finally:
        for engine in api.orders_engines:
            event.remove(engine, name, listener)


@pytest.fixture
def silent(databases: Databases, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a database that takes connections and never says a word."""
    monkeypatch.setattr("orders_service.database.bounds.READ_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"mariadb+pymysql://kim:secret@127.0.0.1:{server.getsockname()[1]}/silent"


@pytest.mark.parametrize("act", ASKS.values(), ids=ASKS)
def test_without_the_orders_database_a_client_is_told_to_come_again(
    databases: Databases, away: str, act: Act
) -> None:
    with Api.on(databases, ORDERS_DATABASE_URL=away) as api:
        response = act(api, "x")

    assert_unavailable(response)
    assert urlsplit(away).netloc not in response.text


@pytest.mark.parametrize("act", TAKES_ORDERS.values(), ids=TAKES_ORDERS)
def test_who_orders_meanwhile_is_told_the_orders_id(databases: Databases, away: str, act: Act) -> None:
    with Api.on(databases, ORDERS_DATABASE_URL=away) as api:
        response, other = act(api, ""), api.place()

    assert len(member(response, "orderId")) == 36
    assert member(response, "orderId") != member(other, "orderId")


def test_the_id_that_is_told_is_the_one_that_the_retry_gets(databases: Databases, away: str) -> None:
    with Api.on(databases, ORDERS_DATABASE_URL=away) as api:
        told = member(api.place(key="k"), "orderId")
    with Api.on(databases) as api:
        placed = member(api.place(key="k"), "orderId")

    assert told == placed


@pytest.mark.parametrize("act", [ASKS["place"], ASKS["list"]], ids=["place", "list"])
def test_a_database_that_never_answers_is_not_waited_for(databases: Databases, silent: str, act: Act) -> None:
    with Api.on(databases, ORDERS_DATABASE_URL=silent) as api:
        response = act(api, "x")

    assert_unavailable(response)


@pytest.mark.parametrize("table", ["orders", "outbox"])
@pytest.mark.parametrize("act", [*TAKES_ORDERS.values(), ASKS["cancel"]], ids=[*TAKES_ORDERS, "cancel"])
def test_without_a_table_nothing_is_written(own_api: Api, table: str, act: Act) -> None:
    order_id = own_api.placed()
    with own_api.databases.orders.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE {table} RENAME TO hidden")

    response = act(own_api, order_id)

    assert_unavailable(response)
    with own_api.databases.orders.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE hidden RENAME TO {table}")
    assert [order.status for order in own_api.orders()] == ["PENDING"]
    assert own_api.events() == ["order.placed.v1"]


@pytest.mark.parametrize("path", ["/catalog-service/catalogs", "/catalog-service/catalogs/CATALOG-001"])
def test_without_the_catalogs_table_a_client_is_told_to_come_again(own_api: Api, path: str) -> None:
    with own_api.databases.catalog.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE catalog RENAME TO hidden")

    response = own_api.get(path)

    assert_unavailable(response)
    assert "orderId" not in (response.json or {})


@pytest.mark.parametrize("where", PLACING)
@pytest.mark.parametrize("code", [ROW_CHANGED, DUPLICATE, LOCK_WAIT, DEADLOCK])
@pytest.mark.parametrize("act", TAKES_ORDERS.values(), ids=TAKES_ORDERS)
def test_a_client_does_not_see_that_another_transaction_came_between(
    api: Api, where: str, code: int, act: Act
) -> None:
    with failing(api, where, code) as refused:
        response = act(api, "")

    assert (response.status_code, len(refused)) == (201, 1)
    assert "Idempotent-Replayed" not in response.headers
    assert [order.order_id for order in api.orders()] == [member(response, "orderId")]
    assert [row.aggregateid for row in api.outbox()] == [member(response, "orderId")]


@pytest.mark.parametrize("where", CANCELLING)
@pytest.mark.parametrize("code", [ROW_CHANGED, LOCK_WAIT, DEADLOCK])
def test_who_cancels_does_not_see_it_either(api: Api, where: str, code: int) -> None:
    order_id = api.placed()

    with failing(api, where, code) as refused:
        response = api.cancel(order_id)

    assert (response.status_code, member(response, "status")) == (200, "CANCELLED")
    assert len(refused) == 1
    assert api.events() == ["order.placed.v1", "order.cancelled.v1"]


@pytest.mark.parametrize("where", PLACING)
@pytest.mark.parametrize("code", [DUPLICATE, DEADLOCK])
def test_what_is_disturbed_every_time_is_given_up_and_not_written(api: Api, where: str, code: int) -> None:
    with failing(api, where, code, times=99) as refused:
        response = api.place()

    assert_unavailable(response)
    assert len(member(response, "orderId")) == 36
    assert len(refused) == ATTEMPTS
    assert_nothing_written(api)


@pytest.mark.parametrize("where", PLACING)
def test_a_full_disk_is_not_tried_again_at_once(api: Api, where: str) -> None:
    with failing(api, where, DISK_FULL, times=99) as refused:
        response = api.place()

    assert_unavailable(response)
    assert len(refused) == 1
    assert_nothing_written(api)


def test_after_a_fault_the_next_request_is_served(api: Api) -> None:
    with failing(api, "INSERT INTO outbox", DISK_FULL):
        failed = api.place(key="k")

    again = api.place(key="k")

    assert (failed.status_code, again.status_code) == (503, 201)
    assert member(failed, "orderId") == member(again, "orderId")
    assert "Idempotent-Replayed" not in again.headers
    assert api.events() == ["order.placed.v1"]


@pytest.mark.parametrize("act", TAKES_ORDERS.values(), ids=TAKES_ORDERS)
def test_an_order_whose_commit_lost_its_reply_is_placed_once(api: Api, act: Act) -> None:
    with losing_the_reply(api) as commits:
        response = act(api, "")

    assert (response.status_code, commits) == (201, [1, 2])
    assert member(response, "status") == "PENDING"
    assert [order.order_id for order in api.orders()] == [member(response, "orderId")]
    assert [row.aggregateid for row in api.outbox()] == [member(response, "orderId")]


def test_an_order_whose_replies_are_all_lost_is_found_by_the_id_that_was_told(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "FAILOVER_SECONDS", 0.2)
    with losing_the_reply(api, times=1000):
        response = api.place()

    assert_unavailable(response)
    assert [order.order_id for order in api.orders()] == [member(response, "orderId")]
    assert api.events() == ["order.placed.v1"]
    assert api.get(f"{ORDERS}/{member(response, 'orderId')}").status_code == 200


def test_a_cancellation_whose_commit_lost_its_reply_is_recorded_once(api: Api) -> None:
    order_id = api.placed()

    with losing_the_reply(api) as commits:
        response = api.cancel(order_id)

    assert (response.status_code, member(response, "status"), commits) == (200, "CANCELLED", [1, 2])
    assert api.events() == ["order.placed.v1", "order.cancelled.v1"]


def test_a_connection_that_breaks_before_an_order_is_sent_is_replaced(api: Api) -> None:
    if api.is_sqlite:
        pytest.skip("SQLite has no connection to lose")

    with losing_the_connection(api, "INSERT INTO orders") as killed:
        response = api.place()

    assert (response.status_code, len(killed)) == (201, 1)
    assert len(api.orders()) == len(api.outbox()) == 1


def test_of_an_order_that_is_killed_between_its_inserts_nothing_stays_and_it_is_placed_once(api: Api) -> None:
    if api.is_sqlite:
        pytest.skip("SQLite has no connection to lose")
    stuck = "SELECT id FROM information_schema.processlist WHERE state = 'Waiting for table metadata lock'"
    with api.databases.orders.connect() as other, ThreadPoolExecutor(1) as customer:
        other.exec_driver_sql("LOCK TABLES outbox WRITE")
        try:
            placing = customer.submit(api.place)
            await_true(lambda: bool(other.exec_driver_sql(stuck).all()), "the second insert waits")
            ((thread,),) = other.exec_driver_sql(stuck).all()
            other.exec_driver_sql(f"KILL {thread}")
        finally:
            other.exec_driver_sql("UNLOCK TABLES")
        response = placing.result(waiting.seconds(10))

    assert response.status_code == 201
    assert len(api.orders()) == len(api.outbox()) == 1


def test_a_restarted_database_is_not_noticed(api: Api) -> None:
    if api.is_sqlite:
        pytest.skip("SQLite has no connection to lose")
    order_id = api.placed()
    addresses = [ORDERS, f"{ORDERS}/{order_id}", f"{ORDERS}?status=PENDING"]
    assert [api.get(address).status_code for address in addresses] == [200] * 3  # All connections are open.
    with api.databases.orders.connect() as other:
        others = "SELECT id FROM information_schema.processlist WHERE id <> CONNECTION_ID()"
        for (thread,) in other.exec_driver_sql(others).all():
            with suppress(OperationalError):  # One that a test closed before may just have ended.
                other.exec_driver_sql(f"KILL {thread}")

    responses = [*map(api.get, addresses), api.place(), api.cancel(order_id)]

    assert [response.status_code for response in responses] == [200, 200, 200, 201, 200]


def test_when_every_connection_is_taken_a_client_is_told_to_come_again(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders_service.database.bounds.API_POOL_SECONDS", 0.1)
    with Api.on(databases, API_THREADS="1") as api, ExitStack() as taken:
        taken.callback(api.engine(READER).raw_connection().close)
        placed, listed = api.place(), api.get(ORDERS)

    assert placed.status_code == 201  # Whoever looks takes nothing from those who order.
    assert_problem(listed, 503, "overloaded")


def test_a_cancellation_waits_longer_for_a_connection_than_a_reader(databases: Databases) -> None:
    with Api.on(databases, API_THREADS="1") as api:
        order_id = api.placed()
        taken = api.engine().raw_connection()
        threading.Timer(bounds.API_POOL_SECONDS + 0.5, taken.close).start()

        assert api.cancel(order_id).status_code == 200


def test_a_writer_that_does_not_end_is_not_waited_for_long(
    databases: Databases, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = 0.2 if databases.orders.dialect.name == "sqlite" else 1
    monkeypatch.setattr("orders_service.database.bounds.LOCK_SECONDS", seconds)
    with Api.on(databases) as api:
        order_id = api.placed()
        with databases.orders.begin() as writer:
            writer.exec_driver_sql("UPDATE orders SET version = 7")
            response = api.cancel(order_id)
            writer.rollback()

    assert_unavailable(response)
    assert api.events() == ["order.placed.v1"]


def assert_unavailable(response: TestResponse) -> None:
    """The answer is that the database is away, and when to come again."""
    assert_problem(response, 503, "database-unavailable")
    assert response.headers["Retry-After"] == "1"
    assert "secret" not in response.text
