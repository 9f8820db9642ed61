"""10,000 orders through Kafka Connect's sink, which is killed on the way."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text

from lab import Lab, Ports
from orders_service import resources
from orders_service.commands.connectors.rest import Connect, load
from orders_service.database.columns import utc_now
from orders_service.database.transactions import in_transaction
from orders_service.orders import service
from orders_service.orders.service import Placement
from rig.databases import Databases
from rig.deployment import Deployment, deployed
from rig.waiting import await_true

pytestmark = [
    pytest.mark.real,
    pytest.mark.faults,
    pytest.mark.timeout(240),
    pytest.mark.parametrize("databases", ["mariadb"], indirect=True),
]

ORDERS = 10_000
COLUMNS = "order_id, user_id, product_id, qty, unit_price, total_price"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab with Kafka Connect, which other tests do not use."""
    with Lab(tmp_path_factory.mktemp("connect"), Ports.free(), connect=True) as found:
        yield found


def test_10_000_orders_land_once_each_though_connect_is_killed(
    lab: Lab, databases: Databases, tmp_path: Path
) -> None:
    with lab.mariadb.connect() as connection, connection.cursor() as cursor:
        for statement in Path("config/mydb.sql").read_text().split(";")[:-1]:
            cursor.execute(statement)
        cursor.execute("DELETE FROM mydb.orders")
        connection.commit()
    connect = Connect(lab.connect.url)
    with deployed(lab, databases, tmp_path, ["orders-relay"], ORDERS_SINK_TOPIC="orders") as deployment:
        connect.put("sink", load("my-order-sink-connect", environment=lab.environment()))
        connect.await_running("sink")
        place(deployment, ORDERS)

        await_true(lambda: len(landed(lab)) > ORDERS // 10, "a tenth has landed", seconds=60)
        lab.connect.kill()
        at_the_kill = len(landed(lab))
        lab.connect.start()

        await_true(lambda: len(landed(lab)) >= ORDERS, "all have landed", seconds=120)
        connect.delete("sink")
    assert at_the_kill < ORDERS, "Connect had finished before it was killed"
    with databases.orders.connect() as orders:
        assert landed(lab) == sorted(map(tuple, orders.execute(text(f"SELECT {COLUMNS} FROM orders"))))


def place(deployment: Deployment, count: int) -> None:
    """Place orders as the API does, a thousand in a transaction."""
    outbox = resources.outbox(deployment.settings, "orders")
    for _ in range(count // 1000):
        placements = [
            Placement(
                order_id=str(uuid4()),
                user_id=f"kim {n % 7}",
                product_id="제품 🙂",
                qty=1 + n % 9,
                unit_price=n,
            )
            for n in range(1000)
        ]
        with deployment.databases.orders.connect() as connection:
            in_transaction(
                connection, partial(service.place, placements=placements, outbox=outbox, clock=utc_now)
            )


def landed(lab: Lab) -> list[tuple[object, ...]]:
    with lab.mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT {COLUMNS} FROM mydb.orders ORDER BY order_id")
        return list(cursor.fetchall())
