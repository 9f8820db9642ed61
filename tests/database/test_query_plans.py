"""Every query of the road has an index to go by, in tables that have grown."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from lab import Lab
from orders_service.catalog import service
from orders_service.catalog.balance import balances
from orders_service.catalog.errors import NotInStock
from orders_service.catalog.product import Product, Reservation, State
from orders_service.commands.doctor.databases import DatabaseChecks
from orders_service.database.columns import utc_now
from orders_service.events import set_aside
from orders_service.events.tables import OutboxRow
from orders_service.operations.road import orders as road_orders
from orders_service.orders import changes, search
from orders_service.orders.order import Order, Status
from orders_service.processes import DatabaseName
from orders_service.settings import Settings
from rig.databases import Databases, databases_in
from tests.database.plans import assert_indexed, explained, is_in_the_index
from tests.flow_kit import BERLIN, Flow

pytestmark = pytest.mark.real

GROWN = 20_000
OLD = GROWN // 10  # So many of its events are due to be purged.
LONG_AGO = utc_now() - timedelta(days=30)


@pytest.fixture(scope="module")
def databases(lab: Lab) -> Iterator[Databases]:
    """Two databases of the real MariaDB, with a past of some thousand orders."""
    with databases_in(lab) as found:
        grow(found)
        yield found


def grow(databases: Databases) -> None:
    now = utc_now()
    with Session(databases.orders) as session:
        session.execute(
            insert(Order),
            [
                {
                    "order_id": f"order-{n}",
                    "user_id": f"user-{n % 500}",
                    "product_id": f"product-{n % 50}",
                    "qty": 1,
                    "unit_price": 1,
                    "total_price": 1,
                    "status": "CONFIRMED",
                    "version": 1,
                    "created_at": now,
                    "updated_at": now,
                }
                for n in range(GROWN)
            ],
        )
        session.execute(insert(OutboxRow), [outbox_row(n, "/order-service") for n in range(GROWN)])
        session.commit()
    with Session(databases.catalog) as session:
        session.execute(
            insert(Product),
            [
                {
                    "product_id": f"product-{n}",
                    "product_name": "Lamp",
                    "stock": 1,
                    "unit_price": 1,
                    "created_at": now,
                }
                for n in range(GROWN // 10)
            ],
        )
        session.execute(
            insert(Reservation),
            [
                {
                    "order_id": f"order-{n}",
                    "product_id": f"product-{n % 50}",
                    "qty": 1,
                    "state": State.RESERVED,
                    "created_at": now,
                    "updated_at": now,
                }
                for n in range(GROWN)
            ],
        )
        session.execute(insert(OutboxRow), [outbox_row(n, "/catalog-service") for n in range(GROWN)])
        session.commit()
    for engine, tables in (
        (databases.orders, "orders, outbox"),
        (databases.catalog, "catalog, reservations, outbox"),
    ):
        with engine.connect() as connection:
            connection.exec_driver_sql(f"ANALYZE TABLE {tables}").all()


def outbox_row(number: int, source: str) -> dict[str, Any]:
    return {
        "id": f"event-{number}",
        "specversion": "1.0",
        "source": source,
        "type": "order.placed.v1",
        "aggregatetype": "order",
        "aggregateid": f"order-{number}",
        "time": "2026-11-24T00:00:00Z",
        "topic": "example-catalog-topic",
        "key": "k",
        "payload": "{}",
        "created_at": LONG_AGO,
        "published_at": LONG_AGO if number < OLD else utc_now(),
        "lane": None,
    }


def test_the_whole_road_goes_by_indexes(flow: Flow) -> None:
    with explained() as plans:
        for n in range(20):
            order = flow.place(qty=1, key=f"key-{n}")
        flow.place(qty=1, key="key-0")
        flow.run()
        flow.cancel(order)
        flow.run()
        flow.redeliver_everything()
        flow.run()

    assert any("DELETE outbox FROM" in statement for statement, _ in plans), "the relays have purged"
    assert_indexed(plans)


def test_a_relay_marks_a_large_batch_by_an_index(flow: Flow) -> None:
    for _ in range(250):  # From 200 values on, MariaDB guesses what they cost.
        flow.place()

    with explained() as plans:
        flow.orders_relay.step()

    assert_indexed(plans)
    flow.run()


@pytest.mark.parametrize(
    "path",
    [
        "/order-service/user-7/orders",
        "/order-service/user-7/orders?limit=20&after=order-7",
        "/order-service/user-7/orders/order-7",
        "/admin/orders?status=PENDING&olderThan=60",
        f"/catalog-service/catalogs/{BERLIN}",
    ],
)
def test_what_is_asked_over_http_goes_by_indexes(flow: Flow, path: str) -> None:
    with explained() as plans:
        assert flow.api.get(path).status_code == 200

    assert_indexed(plans)


@pytest.mark.parametrize("count", [1, 250, 1000])
def test_changes_of_a_thousand_orders_are_found_by_the_index_of_their_ids(
    databases: Databases, count: int
) -> None:
    ids = [f"order-{n * 20}" for n in range(count)]
    known = {1: ids[: count // 2], 2: ids[count // 2 :]}

    with explained() as plans, databases.orders.connect() as connection:
        changed = connection.execute(changes.changed_query(known)).all()

    assert {plan["key"] for _, plan in plans} == {"uq_orders_order_id"}
    assert len(changed) == min(count - count // 2, changes.CHANGED_MAX)
    assert_indexed(plans)


@pytest.mark.parametrize("count", [1, 100])
def test_changes_of_users_are_found_by_the_index_of_their_orders(databases: Databases, count: int) -> None:
    users = [f"user-{n}" for n in range(count)]

    with explained() as plans, databases.orders.connect() as connection:
        query, parameters = changes.activity_query(users)
        found = connection.execute(query, parameters).all()
        connection.execute(changes.newest_query(users[0])).all()

    assert [row.place for row in found] == list(range(count))
    of_orders = [plan for _, plan in plans if plan["table"] == "orders"]
    assert {plan["key"] for plan in of_orders} == {"ix_orders_user_id_id"}
    assert len(of_orders) == count + 1


@pytest.mark.parametrize("user", [None, "user-7"])
@pytest.mark.parametrize("status", [None, Status.CONFIRMED, Status.PENDING])
@pytest.mark.parametrize("before", [None, LONG_AGO, utc_now() + timedelta(days=1)])
def test_what_an_operator_looks_for_goes_by_indexes(
    databases: Databases, user: str | None, status: Status | None, before: datetime | None
) -> None:
    with Session(databases.orders) as session, explained() as plans:
        list(search.find(session, search.Filter(user, status, before)))

    # Without a user, and for a status that most orders have, the primary key may be read, in chunks.
    assert plans
    assert all(plan["key"] and "filesort" not in (plan["Extra"] or "") for _, plan in plans), plans
    assert all("LIMIT" in statement for statement, _ in plans), plans
    if user or status == Status.PENDING:
        index = "ix_orders_user_id_id" if user else "ix_orders_status_id"
        assert {plan["key"] for _, plan in plans} == {index}


def test_an_order_and_its_events_are_shown_by_indexes(databases: Databases) -> None:
    with Session(databases.orders) as session, explained() as plans:
        search.events(session, search.get(session, "order-7"))

    assert len(plans) == 2
    assert_indexed(plans)


def test_the_beginning_of_an_id_is_found_by_the_index_of_the_ids(databases: Databases) -> None:
    with Session(databases.orders) as session, explained() as plans:
        assert search.whole_id(session, "order-77") == "order-77"

    assert_indexed(plans)


def test_balances_are_read_by_indexes(databases: Databases) -> None:
    with Session(databases.catalog) as session, explained() as plans:
        assert len(list(balances(session))) >= GROWN // 10

    assert {plan["key"] for _, plan in plans if plan["table"] == "catalog"} == {"PRIMARY"}
    assert_indexed([plan for plan in plans if plan[1]["table"] != "catalog"])
    assert all(is_in_the_index(plan) for _, plan in plans if plan["table"] == "reservations"), plans


@pytest.mark.parametrize("change", [service.supply, service.correct])
def test_the_stock_is_changed_by_indexes(databases: Databases, change: Callable[..., bool]) -> None:
    with Session(databases.catalog) as session, explained() as plans:
        change(session, "product-7", 1, note="count", now=utc_now())
        with pytest.raises(NotInStock):
            service.correct(session, "product-7", -9, note="lost", now=utc_now())

    assert_indexed(plans)


def test_what_waits_is_counted_in_the_index(flow: Flow) -> None:
    for _ in range(50):
        flow.place()

    with explained() as plans:
        assert flow.api.get("/metrics").status_code == 200
    flow.run()

    counted = [plan for statement, plan in plans if "WHERE outbox.lane = " in statement and plan["id"] > 1]
    assert len(counted) == 1, plans
    assert all(is_in_the_index(plan) for plan in counted), counted


def test_reserved_pieces_are_added_up_in_the_index(databases: Databases) -> None:
    examined = DatabaseChecks("catalog", Settings.read(databases.environment))

    with explained() as plans:
        examined.ledger()
    examined.close()

    (reserved,) = (plan for _, plan in plans if plan["table"] == "reservations")
    assert is_in_the_index(reserved), reserved


@pytest.mark.parametrize("name", ["orders", "catalog"])
def test_the_doctor_goes_by_indexes(databases: Databases, name: DatabaseName) -> None:
    examined = DatabaseChecks(name, Settings.read(databases.environment))

    with explained() as plans:
        for check in examined.checks:
            check.look()
    examined.close()

    # It looks at each product, and at the newest events by their number: here these are all there are.
    meant = [plan for plan in plans if plan[1]["table"] == "catalog" or "outbox.error IS NOT" in plan[0]]
    assert len(meant) == {"orders": 1, "catalog": 2}[name]
    assert_indexed([plan for plan in plans if plan not in meant])


@pytest.mark.parametrize("pending", [0, 300])
def test_the_road_is_read_by_indexes(flow: Flow, pending: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(road_orders, "RECENT_MAX", 1000)
    monkeypatch.setattr(set_aside, "LATELY", 1000)
    for _ in range(pending):
        flow.place()

    with explained() as plans:
        assert flow.api.get("/admin/road").status_code == 200
    flow.run()

    newest = [plan for plan in plans if "outbox.error IS NOT" in plan[0] or "substr(orders." in plan[0]]
    assert {plan["key"] for _, plan in newest} == {"PRIMARY"}
    assert {plan["type"] for _, plan in newest} == {"range"}
    # It looks at each product, and at what it has found to count it.
    others = [
        plan for plan in plans if plan not in newest and plan[1]["table"] not in ("catalog", "<derived2>")
    ]
    assert_indexed(others)
