"""How many statements a group, a relay's batch and a consumer's batch cost: for 200 as many as for ten.

Each is a round trip, or a part of one that carries a COMMIT. Whoever adds one changes a number here, and says
in the commit why.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql
import pytest
from sqlalchemy import Engine, event

from orders_service import resources
from orders_service.database.columns import utc_now
from orders_service.database.transactions import in_transaction
from orders_service.events.worker import Worker
from orders_service.orders import service
from orders_service.orders.service import Placement
from rig.databases import Databases
from tests.flow_kit import BERLIN, TOKYO, Flow

SIZES = (10, 200)


@contextmanager
def statements(*engines: Engine) -> Iterator[list[str]]:
    """What the databases are asked meanwhile. An INSERT of many rows is one, an UPDATE of many is many."""
    asked: list[str] = []

    def on_statement(_: Any, __: Any, statement: str, parameters: Any, ___: Any, many: bool) -> None:
        verb, _, rest = statement.partition(" ")
        words = rest.replace("INTO ", "").split()
        asked.extend([f"{verb} {words[0]}"] * (len(parameters) if many and verb != "INSERT" else 1))

    for engine in engines:
        event.listen(engine, "before_cursor_execute", on_statement)
    yield asked
    for engine in engines:
        event.remove(engine, "before_cursor_execute", on_statement)


def wanted(number: int, *, keyed: bool = False) -> Placement:
    return Placement(
        order_id=service.new_order_id("kim", f"key-{number}" if keyed else None),
        user_id="kim",
        product_id=(BERLIN, TOKYO)[number % 2],
        qty=1,
        unit_price=1,
        keyed=keyed,
    )


def place(flow: Flow, group: list[Placement]) -> None:
    """Place a group, as the committer does."""
    outbox = resources.outbox(flow.settings, "orders")
    with flow.databases.orders.connect() as connection:
        in_transaction(connection, lambda c: service.place(c, group, outbox=outbox, clock=utc_now))


def stepping(worker: Any) -> tuple[Engine, Worker]:
    """A worker and its engine."""
    return worker._sessions.kw["bind"], worker


@pytest.mark.parametrize("size", SIZES)
def test_a_group_is_two_inserts(flow: Flow, size: int) -> None:
    with statements(flow.databases.orders) as asked:
        place(flow, [wanted(number) for number in range(size)])

    assert without_transactions(asked) == ["INSERT orders", "INSERT outbox"]


def test_of_many_rows_the_driver_makes_one_statement(flow: Flow) -> None:
    if flow.databases.orders.dialect.name == "sqlite":
        pytest.skip("SQLite takes rows one by one; there is no round trip to save")

    def inserts() -> int:
        with flow.databases.orders.connect() as connection:
            return int(connection.exec_driver_sql("SHOW GLOBAL STATUS LIKE 'Com_insert'").one()[1])

    before = inserts()
    place(flow, [wanted(number) for number in range(60)])
    placed = inserts()
    flow.run()

    assert placed - before == 2
    # A lease for each lane, the reservations, the catalog's outbox.
    assert inserts() - placed == 4


@pytest.mark.parametrize("size", SIZES)
def test_a_group_with_keys_is_one_look_and_two_inserts(flow: Flow, size: int) -> None:
    place(flow, [wanted(number, keyed=True) for number in range(0, size, 2)])

    with statements(flow.databases.orders) as asked:
        place(flow, [wanted(number, keyed=True) for number in range(size)])

    assert len(without_transactions(asked)) == 3


@pytest.mark.parametrize("size", SIZES)
def test_a_relays_batch_is_fetched_by_one_statement_and_marked_by_one(flow: Flow, size: int) -> None:
    engine, relay = stepping(flow.orders_relay)
    place(flow, [wanted(0)])
    for _ in range(2):  # Both places of the purge are looked at, and it rests.
        relay.step()
    place(flow, [wanted(number) for number in range(size)])

    with statements(engine) as asked:
        relay.step()

    assert without_transactions(asked) == [
        "SELECT min(outbox.lane)",  # Which lane comes first,
        "SELECT min(outbox.lane)",  # and none after it.
        "SELECT outbox.seq,",
        "UPDATE outbox",
    ]


@pytest.mark.parametrize("size", SIZES)
def test_a_consumers_batch_has_a_statement_for_each_table_and_product(flow: Flow, size: int) -> None:
    engine, consumer = stepping(flow.stock_consumer)
    place(flow, [wanted(0), wanted(1)])
    flow.run()
    place(flow, [wanted(number) for number in range(size)])
    while flow.orders_relay.step():
        pass

    with statements(engine) as asked:
        consumer.step()

    assert without_transactions(asked) == [
        "SELECT catalog.product_id,",  # Locked,
        "SELECT reservations.order_id,",
        "UPDATE catalog",  # once for each product,
        "UPDATE catalog",
        "INSERT reservations",
        "INSERT outbox",
    ]


@pytest.mark.parametrize("size", SIZES)
def test_a_batch_of_answers_is_one_update_and_a_sample_of_what_it_moved(flow: Flow, size: int) -> None:
    engine, consumer = stepping(flow.status_consumer)
    flow.sql("catalog", "UPDATE catalog SET stock = 1000")  # Else some answers would be refusals.
    place(flow, [wanted(number) for number in range(50)])  # So many that each partition has had one.
    flow.run()
    place(flow, [wanted(number) for number in range(size)])
    for worker in flow.workers[:3]:
        while worker.step():
            pass

    with statements(engine) as asked:
        consumer.step()

    assert without_transactions(asked) == ["UPDATE orders", "SELECT orders.status,"]


def test_mariadb_is_asked_as_seldom_as_can_be(
    databases: Databases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if databases.orders.dialect.name == "sqlite":
        pytest.skip("SQLite is asked without a round trip")
    flow = Flow(databases, tmp_path, RELAY_LEASE_SECONDS="300")  # No lease is renewed meanwhile.
    for _ in range(30):  # So many that each partition has had an answer.
        flow.place()
    flow.run()
    asked: list[str] = []
    ask: Any = pymysql.Connection._execute_command  # type: ignore[attr-defined]
    turns: list[Callable[[], object]] = [flow.place, *(worker.step for worker in flow.workers)]

    def asking(connection: Any, command: int, sql: Any) -> None:
        asked.append(str(sql))
        ask(connection, command, sql)

    def trips(turn: Callable[[], object]) -> int:
        before = len(asked)
        turn()
        return len(asked) - before

    monkeypatch.setattr(pymysql.Connection, "_execute_command", asking)
    found = [trips(turn) for turn in turns]
    at_rest = [trips(relay.step) for relay in (flow.orders_relay, flow.catalog_relay)]

    # The last one changes orders, reads when some of them were placed (for the metrics), and commits.
    assert found == [1, 4, 4, 4, 3], "\n".join(asked)
    assert at_rest == [1, 1], "\n".join(asked)
    flow.close()


def without_transactions(asked: list[str]) -> list[str]:
    """Less what only SQLite is told aloud."""
    return [statement for statement in asked if not statement.startswith(("BEGIN", "COMMIT"))]
