"""What a database can do to a step: nothing is lost, nothing is buried, and all goes on when it is mended."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy.exc import SQLAlchemyError

from lab import Lab
from orders_service.events.worker import Worker
from rig.databases import Databases
from tests.flow_kit import BERLIN, Flow

pytestmark = [pytest.mark.real, pytest.mark.parametrize("databases", ["mariadb"], indirect=True)]


@pytest.fixture
def root(lab: Lab) -> "Root":
    return Root(lab)


class Root:
    """Someone with every right, who breaks a database and mends it."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def do(self, *statements: str) -> None:
        with self._lab.mariadb.connect() as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    @contextmanager
    def broken(self, breaks: str, mends: str) -> Iterator[None]:
        self.do(breaks)
        try:
            yield
        finally:
            self.do(mends)

    @contextmanager
    def holding(self, statement: str) -> Iterator[None]:
        """In a transaction that does not end."""
        with self._lab.mariadb.connect() as connection, connection.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute(statement)
            yield
            connection.rollback()


FAULTS = {
    "read-only": ("SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0"),
    "a missing grant": ("REVOKE INSERT ON {db}.* FROM {user}@'%'", "GRANT ALL ON {db}.* TO {user}@'%'"),
    "a missing column": (
        "ALTER TABLE {db}.outbox RENAME COLUMN payload TO gone",
        "ALTER TABLE {db}.outbox RENAME COLUMN gone TO payload",
    ),
    "a missing table": ("RENAME TABLE {db}.outbox TO {db}.gone", "RENAME TABLE {db}.gone TO {db}.outbox"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_consumer_meets_a_broken_catalog_and_goes_on_when_it_is_mended(
    flow: Flow, databases: Databases, root: Root, fault: str
) -> None:
    name = databases.catalog.url.database
    breaks, mends = (statement.format(db=name, user=name) for statement in FAULTS[fault])
    order_id = flow.place(qty=3)
    flow.orders_relay.step()

    with root.broken(breaks, mends):
        databases.catalog.dispose()
        for _ in range(2):
            assert_fails(flow.stock_consumer)
    flow.run()

    assert flow.status(order_id) == "CONFIRMED"
    assert flow.dead_letters() == []
    flow.assert_stock_adds_up()


@pytest.mark.parametrize("fault", FAULTS)
def test_an_order_is_refused_whole_by_a_broken_orders_database(
    flow: Flow, databases: Databases, root: Root, fault: str
) -> None:
    name = databases.orders.url.database
    breaks, mends = (statement.format(db=name, user=name) for statement in FAULTS[fault])
    asked = {"productId": BERLIN, "qty": 1, "unitPrice": 1500}

    with root.broken(breaks, mends):
        answer = flow.api.post("/order-service/kim/orders", json=asked)

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    assert flow.api.get("/order-service/kim/orders").get_json() == []
    assert flow.outbox() == []


def test_a_product_whose_row_is_held_is_waited_for_and_not_buried(flow: Flow, root: Root) -> None:
    order_id = flow.place(qty=3)
    flow.orders_relay.step()
    catalog = flow.databases.catalog.url.database

    with root.holding(f"SELECT * FROM {catalog}.catalog WHERE product_id = '{BERLIN}' FOR UPDATE"):
        assert_fails(flow.stock_consumer)
    flow.run()

    assert flow.status(order_id) == "CONFIRMED"
    assert flow.dead_letters() == []


def assert_fails(worker: Worker) -> None:
    with pytest.raises(SQLAlchemyError):
        worker.step()
