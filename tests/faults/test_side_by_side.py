"""The same faults for the course's way, which loses data, and for ours, which does not."""

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, select, text
from sqlalchemy.orm import Session

from orders_service.catalog.product import Product
from orders_service.events.brokers.kafka.cluster import KafkaBroker
from orders_service.events.brokers.port import Outgoing, TopicSpec
from rig import history
from rig.waiting import await_true
from tests.faults import course_way
from tests.faults.stage import Stage

pytestmark = [pytest.mark.real, pytest.mark.faults]

KILLS = 3
ORDERS = 1200
WAVE = 100
STILL_SECONDS = 2.0


class CoursesWay:
    """A database, a topic, and processes that work as the course's do."""

    def __init__(self, stage: Stage) -> None:
        self.topic = f"course-{uuid.uuid4().hex[:8]}"
        url = stage.lab.mariadb.create_database(f"course_{uuid.uuid4().hex[:8]}")
        self.servers = stage.lab.kafka.bootstrap
        self.engine: Engine = create_engine(url)
        self._environment = {"DATABASE": url, "SERVERS": self.servers, "TOPIC": self.topic}
        KafkaBroker(self.servers).create_topics([self.topic], TopicSpec(partitions=6))
        with self.engine.begin() as connection:
            for table in course_way.TABLES:
                connection.execute(text(table))

    @contextmanager
    def running(self, word: str, *, copies: int = 1) -> Iterator[None]:
        """Run processes, and kill them at the end of the block."""
        command = [sys.executable, "-m", "tests.faults.course_way", word]
        running = [subprocess.Popen(command, env=os.environ | self._environment) for _ in range(copies)]
        try:
            yield
        finally:
            for process in running:
                process.kill()
                process.wait()

    @property
    def sent(self) -> int:
        """How many events are in the topic."""
        return len(history.records(self.servers, [self.topic]))

    def scalar(self, query: str) -> int:
        with self.engine.connect() as connection:
            return int(connection.execute(text(query)).scalar_one())


@pytest.fixture
def course(stage: Stage) -> Iterator[CoursesWay]:
    found = CoursesWay(stage)
    yield found
    found.engine.dispose()


def test_orders_saved_and_then_sent_are_lost_by_a_kill(stage: Stage, course: CoursesWay) -> None:
    for _ in range(KILLS):
        sent = course.sent
        with course.running("orders"):
            await_true(lambda: course.sent >= sent + 200, "200 more orders are saved and sent")  # noqa: B023

    orders = course.scalar("SELECT COUNT(*) FROM orders")
    lost = orders - course.sent
    stage.report.append(f"the course's way: {lost} of {orders} orders have no event after {KILLS} kills")
    assert lost > 0
    stage.settle()  # What test_the_api_is_killed_ten_times shows of ours.


def test_two_consumers_lose_stock_the_courses_way_and_four_of_ours_none(
    stage: Stage, course: CoursesWay
) -> None:
    (product,) = stage.products(ORDERS)
    with course.engine.begin() as connection:
        connection.execute(text(f"INSERT INTO catalog VALUES ('{product}', {ORDERS})"))
    waves = [orders_for(product, WAVE) for _ in range(ORDERS // WAVE)]

    with course.running("catalog", copies=2):
        stage.await_members(course.topic, 2)
        for wave in waves:
            stage.send(outgoing(course.topic, wave))
        lost = await_stillness(lambda: course.scalar("SELECT stock FROM catalog"))
    stage.report.append(f"the course's way: {lost} of {ORDERS} pieces were sold twice by two consumers")

    stage.deployment.start(*(f"stock-consumer#{number}" for number in (2, 3, 4)))
    stage.await_members(stage.deployment.environment["STOCK_GROUP"], 4)
    for wave in waves:
        # An unknown product has no row to lock. Each order comes twice, so two consumers may insert one key.
        unknown = orders_for("NO-SUCH-PRODUCT", WAVE // 10)
        stage.send(outgoing(stage.topics[0], [*wave, *unknown, *unknown]))
        stage.foreign |= {order["orderId"] for order in [*wave, *unknown]}

    stage.settle()
    with Session(stage.databases.catalog) as session:
        left = session.scalar(select(Product.stock).where(Product.product_id == product))
    assert (left, lost > 0) == (0, True)


def orders_for(product: str, count: int) -> list[dict[str, Any]]:
    return [{"orderId": str(uuid.uuid4()), "productId": product, "qty": 1} for _ in range(count)]


def outgoing(topic: str, orders: Sequence[dict[str, Any]]) -> list[Outgoing]:
    """Orders as the course's producer sends them: no key, no headers."""
    return [Outgoing(topic, None, json.dumps(order).encode()) for order in orders]


def await_stillness(look: Callable[[], int]) -> int:
    """The value of *look* when it has not changed for a while."""
    seen, since = look(), time.monotonic()
    while time.monotonic() - since < STILL_SECONDS:
        time.sleep(0.1)
        if look() != seen:
            seen, since = look(), time.monotonic()
    return seen
