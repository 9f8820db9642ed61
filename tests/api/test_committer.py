"""The committer: who waits is committed together, nobody waits for ever, and nobody pays for another."""

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event, select
from sqlalchemy.exc import DataError
from sqlalchemy.orm import Session

from orders_service.api.committer import GROUP_MAX, Committer, Overdue, Overloaded
from orders_service.contract.topics import Topics
from orders_service.database import bounds
from orders_service.database.columns import Clock, utc_now
from orders_service.database.engines import open_engine
from orders_service.events.outbox import Outbox
from orders_service.events.tables import OutboxRow
from orders_service.orders import service
from orders_service.orders.errors import KeyReused
from orders_service.orders.order import Order
from orders_service.orders.service import Placed, Placement
from rig import waiting
from rig.databases import Databases
from rig.waiting import await_true, seconds

OUTBOX = Outbox("/order-service", Topics())


class Held:
    """A committer that gathers until it is let go, so that a test decides who is in its group."""

    def __init__(self, databases: Databases, clock: Clock = utc_now, *, queue_max: int = 512) -> None:
        self.databases = databases
        self.go = threading.Event()
        self._gathers = False
        self.engine = open_engine(databases.orders_url, pool_size=1, one_trip=True)
        self.committer = Committer(
            self.engine,
            OUTBOX,
            gather=self._gather,
            clock=clock,
            queue_max=queue_max,
        )
        self._customers = ThreadPoolExecutor(GROUP_MAX + 10)

    def place(self, *placements: Placement) -> list[Future[Placed]]:
        """Let each have a customer who waits; all do, in this order, when it returns."""
        waiting = []
        for placement in placements:
            more = len(self.committer._queue) + 1
            waiting.append(self._customers.submit(self.committer.place, placement))
            await_true(partial(self._are_waiting, more), "it waits")
        return waiting

    def place_all(self, batch: Sequence[Placement]) -> Future[list[Placed | KeyReused]]:
        """Let a customer send a batch; its orders wait when it returns."""
        more = len(self.committer._queue) + len(batch)
        answered = self._customers.submit(self.committer.place_all, batch)
        await_true(partial(self._are_waiting, more), "the batch waits")
        return answered

    def _gather(self) -> None:
        self._gathers = True
        self.go.wait(waiting.seconds(10))
        self._gathers = False

    def _are_waiting(self, count: int) -> bool:
        # An order is in the queue before the committer that it starts gathers.
        return self._gathers and len(self.committer._queue) == count

    def orders(self) -> list[str]:
        with Session(self.databases.orders) as session:
            return list(session.scalars(select(Order.order_id).order_by(Order.id)))

    def events(self) -> list[str]:
        with Session(self.databases.orders) as session:
            return list(session.scalars(select(OutboxRow.aggregateid).order_by(OutboxRow.seq)))

    @contextmanager
    def commits(self) -> Iterator[list[int]]:
        """A number for each commit meanwhile."""
        counted: list[int] = []

        def on_commit(_: Any) -> None:
            counted.append(len(counted))

        event.listen(self.engine, "commit", on_commit)
        yield counted
        event.remove(self.engine, "commit", on_commit)

    def close(self) -> None:
        self.go.set()
        self._customers.shutdown()
        self.engine.dispose()


@pytest.fixture
def held(databases: Databases) -> Iterator[Held]:
    found = Held(databases)
    yield found
    found.close()


def wanted(key: str | None = None, *, product: str = "CATALOG-001", qty: int = 1) -> Placement:
    id_ = service.new_order_id("kim", key)
    return Placement(
        order_id=id_, user_id="kim", product_id=product, qty=qty, unit_price=1500, keyed=key is not None
    )


def test_all_who_wait_are_committed_together_in_their_order(held: Held) -> None:
    group = [wanted() for _ in range(20)]
    waiting = held.place(*group)

    with held.commits() as commits:
        held.go.set()
        placed = [future.result(seconds(10)) for future in waiting]

    assert len(commits) == 1
    assert [answer.order for answer in placed] == group
    assert held.orders() == held.events() == [placement.order_id for placement in group]


def test_a_group_is_no_larger_than_it_may_be(held: Held) -> None:
    waiting = held.place(*(wanted() for _ in range(GROUP_MAX + 5)))

    with held.commits() as commits:
        held.go.set()
        for future in waiting:
            future.result(seconds(10))

    assert len(commits) == 2
    assert len(held.orders()) == GROUP_MAX + 5


def test_a_batch_is_not_divided(held: Held) -> None:
    before = held.place(*(wanted() for _ in range(GROUP_MAX - 1)))
    batch = [wanted() for _ in range(100)]
    answered = held.place_all(batch)
    after = held.place(wanted())

    with held.commits() as commits:
        held.go.set()
        placed = answered.result(seconds(10))
        for future in before + after:
            future.result(seconds(10))

    assert len(commits) == 2
    assert [answer.order for answer in placed if isinstance(answer, Placed)] == batch
    assert held.orders()[GROUP_MAX - 1 : -1] == [placement.order_id for placement in batch]


def test_a_batch_that_does_not_fit_in_the_queue_is_refused_whole(databases: Databases) -> None:
    with closing(Held(databases, queue_max=100)) as held:
        waiting = held.place(wanted())

        with pytest.raises(Overloaded):
            held.committer.place_all([wanted() for _ in range(100)])
        fitting = held.place_all([wanted() for _ in range(99)])
        held.go.set()

        assert len(fitting.result(seconds(10))) == 99
        waiting[0].result(seconds(10))
        assert len(held.orders()) == 100


def test_a_batch_that_has_waited_too_long_is_not_placed(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "COMMIT_SECONDS", 0.2)

    with pytest.raises(Overdue):
        held.committer.place_all([wanted() for _ in range(3)])
    held.go.set()
    await_true(lambda: not held.committer._at_work, "it has ended")

    assert held.orders() == []


def test_a_committer_that_had_ended_starts_again(held: Held) -> None:
    held.go.set()

    for _ in range(3):
        held.committer.place(wanted())
        await_true(lambda: not held.committer._at_work, "it has ended")

    assert len(held.orders()) == 3


def test_each_of_a_group_has_its_own_answer(held: Held) -> None:
    held.go.set()
    held.committer.place(wanted("k"))
    await_true(lambda: not held.committer._at_work, "it has ended")
    held.go.clear()
    fresh, replayed, reused = held.place(wanted(), wanted("k"), wanted("k", qty=2))

    held.go.set()

    assert (fresh.result(seconds(10)).replayed, replayed.result(seconds(10)).replayed) == (False, True)
    with pytest.raises(KeyReused):
        reused.result(seconds(10))


def test_an_order_that_cannot_be_kept_does_not_spoil_its_group(held: Held) -> None:
    if held.databases.orders.dialect.name == "sqlite":
        pytest.skip("SQLite keeps whatever it is given")
    first, spoilt, last = held.place(wanted(), wanted(product="x" * 200), wanted())

    held.go.set()

    assert {first.result(seconds(10)).replayed, last.result(seconds(10)).replayed} == {False}
    with pytest.raises(DataError):
        spoilt.result(seconds(10))
    assert held.orders() == held.events()
    assert len(held.orders()) == 2


def test_a_fault_of_ours_is_told_to_everybody_and_nothing_is_written(databases: Databases) -> None:
    def broken() -> datetime:
        raise ZeroDivisionError

    held = Held(databases, clock=broken)
    waiting = held.place(wanted(), wanted())

    held.go.set()

    for future in waiting:
        with pytest.raises(ZeroDivisionError):
            future.result(seconds(10))
    assert held.orders() == []
    held.close()


def test_nobody_waits_for_ever_and_who_has_left_is_not_placed(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders_service.database.bounds.COMMIT_SECONDS", 0.1)
    with pytest.raises(Overdue):
        held.committer.place(wanted())
    monkeypatch.undo()
    (patient,) = held.place(wanted())

    held.go.set()

    placed = patient.result(seconds(10)).order.order_id
    assert held.orders() == [placed]
