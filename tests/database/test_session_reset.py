"""A proxy resets the session between two statements: no text becomes SQL, and no transaction is done by half.

COM_RESET_CONNECTION takes a session's modes, its isolation, its open transaction, and no client is told.
"""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pymysql
import pytest
from sqlalchemy import Engine, event, insert, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from lab.database_server import DatabaseServer
from orders_service.contract.topics import Topics
from orders_service.database import one_trip
from orders_service.database.columns import utc_now
from orders_service.database.engines import open_engine
from orders_service.database.one_trip import BufferedConnection, GuardedConnection
from orders_service.database.transactions import in_transaction
from orders_service.events.outbox import Outbox
from orders_service.events.tables import DeadLetter, OutboxRow
from orders_service.orders import service
from orders_service.orders.order import Order
from orders_service.orders.service import Placement
from tests.database.resets import ATTACKS, COM_RESET_CONNECTION, attacks, migrated, reset

pytestmark = pytest.mark.real

NEW_YEAR = "2026-01-01 00:00:00.000000"


@pytest.fixture(scope="module")
def url(server: DatabaseServer) -> str:
    """An orders database of its own."""
    engine = migrated(server, "orders_reset")
    with Session(engine) as session:
        outbox = Outbox("/order-service", Topics())
        service.place(session.connection(), [wanted("innocent", "innocent")], outbox=outbox, clock=utc_now)
        session.commit()
    engine.dispose()
    return server.url("orders_reset", user="orders_reset")


@pytest.fixture(params=[False, True], ids=["plain", "one trip"])
def engine(url: str, request: pytest.FixtureRequest) -> Iterator[Engine]:
    found = open_engine(url, pool_size=2, one_trip=request.param)
    yield found
    found.dispose()


def wanted(order_id: str, user_id: str) -> Placement:
    return Placement(order_id=order_id, user_id=user_id, product_id="LAMP", qty=1, unit_price=1, keyed=True)


@contextmanager
def resets(engine: Engine, when: Callable[[], bool]) -> Iterator[list[str]]:
    """Reset the session just before a statement is sent, where *when* says so. The statements that met it."""
    met: list[str] = []

    def on_statement(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        raw = cursor.connection
        if not getattr(raw, "_held", None) and when():
            met.append(statement)
            reset(raw)

    event.listen(engine, "before_cursor_execute", on_statement)
    try:
        yield met
    finally:
        event.remove(engine, "before_cursor_execute", on_statement)


def attack(engine: Engine, texts: list[str]) -> int:
    """Send each text in a session just reset: by hand-written INSERTs, in a query, as a dead letter.

    How many of them were refused.
    """
    outbox, lost = Outbox("/order-service", Topics()), 0
    for number, one in enumerate(texts):
        try:
            with Session(engine) as session:
                connection = session.connection()
                reset(connection.connection.dbapi_connection)
                if number % 2:
                    order = wanted(f"{number}-{one}"[:255], one)
                    service.INSERT_ORDERS.write(connection, [order], created_at=NEW_YEAR, updated_at=NEW_YEAR)
                    outbox.record(connection, service._events([order], with_sink_records=False), utc_now())
                elif number % 4:
                    session.execute(select(Order).where(Order.user_id == one)).all()
                else:
                    session.execute(insert(DeadLetter).values(letter(number, one)))
                session.commit()
        except OperationalError as error:
            lost += error.connection_invalidated
    return lost


def stored(engine: Engine) -> tuple[dict[str, str], dict[str, str], dict[int, tuple[bytes, str]]]:
    """Users by order, users by event, and dead letters by offset."""
    with Session(engine) as session:
        orders = session.execute(select(Order.order_id, Order.user_id)).all()
        events = session.execute(select(OutboxRow.aggregateid, OutboxRow.payload)).all()
        letters = session.execute(select(DeadLetter.offset, DeadLetter.key, DeadLetter.detail)).all()
    return (
        {order.order_id: order.user_id for order in orders},
        {order_id: json.loads(payload)["userId"] for order_id, payload in events},
        {offset: (key or b"", detail) for offset, key, detail in letters},
    )


def test_a_session_that_was_reset_writes_nothing(engine: Engine) -> None:
    before = stored(engine)

    assert attack(engine, attacks(ATTACKS)) == ATTACKS

    assert stored(engine) == before


def test_no_text_becomes_sql_where_a_reset_is_not_noticed(
    server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_trip, "UNLESS_RESET", b"DO 0")
    monkeypatch.setattr(GuardedConnection, "_end_if_reset", lambda *_: None)
    texts = attacks(ATTACKS)
    for kind in (False, True):
        engine = migrated(server, f"orders_unnoticed_{int(kind)}", in_one_trip=kind)

        assert attack(engine, texts) == 0

        orders, events, letters = stored(engine)
        assert orders == events == {f"{n}-{one}"[:255]: one for n, one in enumerate(texts) if n % 2}
        assert letters == {n: (one.encode(), one) for n, one in enumerate(texts) if n % 4 == 0}
        engine.dispose()


def letter(number: int, one: str) -> dict[str, Any]:
    return {
        "topic": "topic",
        "partition": 0,
        "offset": number,
        "record_timestamp": 0,
        "consumer_group": "group",
        "key": one.encode(),
        "value": None,
        "headers": "[]",
        "reason": one[:32],
        "detail": one,
        "created_at": utc_now(),
    }


def test_a_transaction_whose_session_is_reset_is_done_again_whole(url: str, engine: Engine) -> None:
    drawn, outbox = random.Random(7), Outbox("/order-service", Topics())
    texts = attacks(300, seed=21)

    with resets(engine, lambda: drawn.random() < 0.1) as met:
        for number, one in enumerate(texts):
            order = wanted(f"again-{engine.dialect.name}-{id(engine)}-{number}", one)
            with engine.connect() as connection:
                in_transaction(
                    connection,
                    lambda c, order=order: service.place(c, [order], outbox=outbox, clock=utc_now),  # type: ignore[misc]
                    attempts=20,
                )

    mine = f"again-{engine.dialect.name}-{id(engine)}-%"
    with Session(engine) as session:
        users = session.scalars(
            select(Order.user_id).where(Order.order_id.like(mine)).order_by(Order.id)
        ).all()
        events = session.scalars(select(OutboxRow.aggregateid).where(OutboxRow.aggregateid.like(mine))).all()
    assert users == texts
    assert len(events) == len(set(events)) == len(texts)
    assert len(met) > 20


def test_inserts_of_a_session_that_was_reset_are_refused_before_the_first(url: str) -> None:
    engine = open_engine(url, pool_size=1, one_trip=True)
    with engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
        connection.exec_driver_sql("UPDATE orders SET reason = 'open' WHERE order_id = 'innocent'")
        service.INSERT_ORDERS.write(
            connection, [wanted("half", "kim")], created_at=NEW_YEAR, updated_at=NEW_YEAR
        )
        raw._execute_command(COM_RESET_CONNECTION, b"")  # With an insert that is held back.
        raw._read_packet()
        with pytest.raises(OperationalError, match="was reset") as caught:
            connection.commit()

    assert caught.value.connection_invalidated
    with Session(engine) as session:
        assert session.scalar(select(Order.order_id).where(Order.order_id == "half")) is None
        assert session.scalar(select(Order.reason).where(Order.order_id == "innocent")) is None
    engine.dispose()


@pytest.mark.parametrize("statement", ["INSERT INTO", "UPDATE", "DELETE FROM"])
def test_a_value_does_not_switch_the_refusal_off(url: str, statement: str) -> None:
    rest = {
        "INSERT INTO": "orders (order_id, reason) VALUES ('x', %s)",
        "UPDATE": "orders SET reason = %s",
        "DELETE FROM": "orders WHERE reason <> %s OR order_id = 'innocent'",
    }
    engine = open_engine(url, pool_size=1)
    with engine.connect() as connection:
        reset(connection.connection.dbapi_connection)
        with pytest.raises(OperationalError, match="was reset"):
            connection.exec_driver_sql(f"{statement} {rest[statement]}", (" RETURNING '' RETURNING id",))

    with Session(engine) as session:
        assert session.scalars(select(Order.reason).where(Order.order_id == "innocent")).all() == [None]
    engine.dispose()


@pytest.mark.parametrize("kind", [GuardedConnection, BufferedConnection])
def test_a_reset_is_noticed_by_the_next_answer(url: str, kind: type[GuardedConnection]) -> None:
    engine = open_engine(url, pool_size=1, one_trip=kind is BufferedConnection)
    for statement in ("SELECT 1", "SELECT order_id FROM orders", "UPDATE orders SET version = 1", "DO 0"):
        with engine.connect() as connection:
            raw: Any = connection.connection.dbapi_connection
            reset(raw)
            with pytest.raises(OperationalError, match="was reset"):
                connection.exec_driver_sql(statement)
    engine.dispose()


def test_a_pooled_connection_that_was_reset_is_not_used(url: str) -> None:
    engine = open_engine(url, pool_size=1)
    with engine.connect() as connection:
        raw: Any = connection.connection.dbapi_connection
    reset(raw)

    with engine.connect() as connection:
        assert connection.connection.dbapi_connection is not raw
        assert connection.exec_driver_sql("SELECT @@tx_isolation").scalar() == "READ-COMMITTED"
    engine.dispose()


def test_pymysql_is_the_one_that_was_read() -> None:
    """`one_trip` overrides what is private to it: look there again when it changes."""
    assert pymysql.VERSION[:2] == (1, 2)
    for name in ("_read_query_result", "_read_ok_packet", "_force_close", "_create_ssl_ctx"):
        assert callable(getattr(pymysql.Connection, name))
