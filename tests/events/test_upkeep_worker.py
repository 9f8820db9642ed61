"""An outbox is purged between a worker's steps, however busy that is."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Engine, event, func, select, update
from sqlalchemy.orm import sessionmaker
from structlog.testing import capture_logs

from orders_service.contract.events import OrderPlaced
from orders_service.contract.topics import Topics
from orders_service.database.columns import utc_now
from orders_service.database.engines import open_relay_engine
from orders_service.events.outbox import Outbox
from orders_service.events.tables import OutboxRow
from orders_service.events.upkeep import CHUNK, PurgingWorker
from rig.databases import Databases

KEEP = timedelta(days=14)
EVER = utc_now() - timedelta(days=30)


class Busy:
    """A worker that always has something to do."""

    def step(self) -> bool:
        return True

    def close(self) -> None:
        pass


@pytest.fixture
def engine(databases: Databases) -> Iterator[Engine]:
    found = open_relay_engine(databases.orders_url)
    yield found
    found.dispose()


def publish(engine: Engine, count: int) -> None:
    """So many events of long ago."""
    outbox = Outbox("/order-service", Topics(), sent_by_relay=False)
    with sessionmaker(engine).begin() as session:
        outbox.record(
            session.connection(),
            [OrderPlaced(order_id=str(n), product_id="LAMP", qty=1) for n in range(count)],
            EVER,
        )
        session.execute(update(OutboxRow).values(created_at=EVER, published_at=EVER))


def count(engine: Engine) -> int | None:
    with sessionmaker(engine)() as session:
        return session.scalar(select(func.count()).select_from(OutboxRow))


def test_a_busy_worker_purges_a_chunk_after_each_step(engine: Engine) -> None:
    publish(engine, CHUNK + 1)
    worker, left = PurgingWorker(Busy(), sessionmaker(engine), keep=KEEP), []

    for _ in range(2):
        assert worker.step()
        left.append(count(engine))

    assert left == [1, 0]


def test_rows_that_become_due_one_by_one_are_purged_together_and_logged_together(engine: Engine) -> None:
    worker, asked = PurgingWorker(Busy(), sessionmaker(engine), keep=KEEP), []
    event.listen(engine, "before_cursor_execute", lambda *about: asked.append(about[2]))

    with capture_logs() as logs:
        for _ in range(30):
            publish(engine, 1)
            worker.step()
        worker.close()

    assert sum(statement.startswith("SELECT outbox.seq") for statement in asked) <= 4
    assert [line["event"] for line in logs] == ["published events purged"]


def test_a_purge_that_fails_does_not_stop_the_worker(engine: Engine) -> None:
    worker = PurgingWorker(Busy(), sessionmaker(engine), keep=KEEP)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE outbox")

    with capture_logs() as logs:
        assert all(worker.step() for _ in range(3))

    assert [(line["event"], line["log_level"]) for line in logs] == [("cannot purge old events", "warning")]
    assert "SELECT" not in logs[0]["error"]
