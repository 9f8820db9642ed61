"""Two cells: orders databases, APIs, relays and status consumers of their own; shared topics and catalog."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from lab import Lab
from orders_service.catalog.product import Reservation
from orders_service.events.dead_letters import count as dead_letters
from orders_service.orders.order import Order
from rig.databases import Databases
from rig.deployment import Deployment, deployed

pytestmark = [pytest.mark.long, pytest.mark.real, pytest.mark.timeout(180)]

OF_A_CELL = ("api", "orders-relay", "status-consumer")
SHARED = ("CATALOG_TOPIC", "STOCK_TOPIC")
PRODUCT = "CATALOG-001"
ORDERS = 20


@pytest.fixture
def cells(lab: Lab, tmp_path: Path) -> Iterator[tuple[Deployment, Deployment]]:
    """The first cell, and the catalog beside it; and the second one."""
    names = [uuid4().hex[:8] for _ in range(2)]
    first = Databases.on(lab.mariadb, names[0])
    second = Databases(lab.mariadb.create_database(f"orders_{names[1]}"), first.catalog_url)
    folders = [tmp_path / "one", tmp_path / "two"]
    for databases, folder in zip((first, second), folders, strict=True):
        databases.migrate()
        folder.mkdir()
    try:
        with deployed(lab, first, folders[0]) as one:
            shared = {name: one.environment[name] for name in SHARED}
            with deployed(lab, second, folders[1], OF_A_CELL, **shared) as two:
                yield one, two
    finally:
        first.dispose()
        second.dispose()


def users(cell: Deployment) -> set[str]:
    with Session(cell.databases.orders) as session:
        return set(session.scalars(select(Order.user_id)))


def letters(cell: Deployment) -> int:
    with Session(cell.databases.orders) as session:
        return dead_letters(session)


def reserved(cell: Deployment) -> int:
    with Session(cell.databases.catalog) as session:
        return session.scalar(select(func.sum(Reservation.qty)).where(Reservation.state == "RESERVED")) or 0


def test_each_order_is_answered_by_its_own_cell(cells: tuple[Deployment, Deployment]) -> None:
    one, two = cells
    for _ in range(ORDERS):
        one.place("kim", PRODUCT, 1)
        two.place("lee", PRODUCT, 2)

    statuses = [order["status"] for order in one.await_answers("kim") + two.await_answers("lee")]

    assert statuses == ["CONFIRMED"] * 2 * ORDERS
    assert (users(one), users(two)) == ({"kim"}, {"lee"})
    assert reserved(one) == 3 * ORDERS
    assert (letters(one), letters(two)) == (0, 0)


def test_the_loss_of_a_cell_leaves_the_other_as_it_is(cells: tuple[Deployment, Deployment]) -> None:
    one, two = cells
    for name in ("orders-relay", "status-consumer"):
        one.kill(name)
    one.place("kim", PRODUCT, 1)
    one.kill("api")

    two.place("lee", PRODUCT, 1)
    meanwhile = two.await_answers("lee")
    one.start(*OF_A_CELL)
    one.await_ready()
    afterwards = one.await_answers("kim")

    assert [order["status"] for order in meanwhile + afterwards] == ["CONFIRMED"] * 2
    assert reserved(one) == 2
