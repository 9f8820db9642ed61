"""An outbox is purged between a worker's steps, however busy that is."""

from datetime import timedelta

from sqlalchemy import func, select, update
from sqlalchemy.orm import sessionmaker

from orders_service import wiring
from orders_service.database import utc_now
from orders_service.events.contract import OrderPlaced, Topics
from orders_service.events.outbox import Outbox
from orders_service.events.purge import CHUNK
from orders_service.events.tables import OutboxRow
from orders_service.workers.purging import Purging
from tests.databases import Databases


class Busy:
    """A worker that always has something to do."""

    def step(self) -> bool:
        return True

    def close(self) -> None:
        pass


def test_a_busy_worker_purges_a_chunk_after_each_step(databases: Databases) -> None:
    engine = wiring.relay_engine(databases.orders_url)
    sessions = sessionmaker(engine)
    ever = utc_now() - timedelta(days=30)
    outbox = Outbox("/order-service", Topics(), pending=False)
    with sessions.begin() as session:
        outbox.record(
            session.connection(),
            [OrderPlaced(order_id=str(n), product_id="LAMP", qty=1) for n in range(CHUNK + 1)],
        )
        session.execute(update(OutboxRow).values(created_at=ever))
        outbox.record(session.connection(), [OrderPlaced(order_id="new", product_id="LAMP", qty=1)])
    worker, left = Purging(Busy(), sessions, keep=timedelta(days=14)), []

    for _ in range(2):
        assert worker.step()
        with sessions() as session:
            left.append(session.scalar(select(func.count()).select_from(OutboxRow)))

    assert left == [2, 1]
    engine.dispose()
