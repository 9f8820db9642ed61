"""The simulated database isolates its sessions as the real MariaDB does at READ COMMITTED."""

from collections.abc import Callable

import pytest
from sqlalchemy import update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from orders_service.database import bounds
from orders_service.database.errors import error_code
from orders_service.database.transactions import execute_and_count
from orders_service.orders.order import Order, Status
from rig.simulation.database import DEADLOCK, LOCK_TIMEOUT
from tests.rig.simulation.clients import Open, Stage
from tests.rig.simulation.work import (
    CHAIR,
    LAMP,
    code_of,
    lock,
    move,
    set_stock,
    status,
    stock,
    supply,
)


def test_a_read_sees_what_another_session_committed_meanwhile(shop: Open) -> None:
    reader, writer = shop(), shop()
    before = reader.do(stock(LAMP))

    writer.do(set_stock(LAMP, 3))
    uncommitted = reader.do(stock(LAMP))
    writer.commit()

    assert (before, uncommitted, reader.do(stock(LAMP))) == (5, 5, 3)


def test_a_session_sees_its_own_writes_until_it_rolls_back(shop: Open) -> None:
    writer = shop()

    writer.do(set_stock(LAMP, 3))
    own = writer.do(stock(LAMP))
    writer.roll_back()

    assert (own, writer.do(stock(LAMP))) == (3, 5)


def test_sessions_that_write_different_rows_commit_in_any_order(shop: Open) -> None:
    first, second, reader = shop(), shop(), shop()

    first.do(set_stock(LAMP, 1))
    second.do(set_stock(CHAIR, 2))
    seen = first.do(stock(LAMP)), first.do(stock(CHAIR)), second.do(stock(LAMP)), second.do(stock(CHAIR))
    second.commit()
    first.roll_back()

    assert seen == (1, 5, 5, 2)
    assert (reader.do(stock(LAMP)), reader.do(stock(CHAIR))) == (5, 2)


def test_a_locked_product_blocks_a_second_lock_until_the_commit(shop: Open) -> None:
    first, second = shop(), shop()
    first.do(lock(LAMP))
    first.do(set_stock(LAMP, 4))

    locking = second.start(lock(CHAIR, LAMP))
    assert locking.waits
    first.commit()

    assert locking.result() == {LAMP: 4, CHAIR: 5}


def test_a_locked_product_blocks_an_update_until_the_rollback(shop: Open) -> None:
    first, second = shop(), shop()
    first.do(lock(LAMP))

    updating = second.start(set_stock(LAMP, 2))
    assert updating.waits
    first.roll_back()

    assert updating.result() == 1
    assert second.do(stock(LAMP)) == 2


def test_a_locked_product_blocks_neither_a_read_nor_another_product(shop: Open) -> None:
    first, second = shop(), shop()
    first.do(lock(LAMP))

    assert second.do(stock(LAMP)) == 5
    assert second.do(lock(CHAIR)) == {CHAIR: 5}
    assert second.do(set_stock(CHAIR, 1)) == 1


def test_a_lock_of_a_product_waits_for_the_session_that_is_adding_it(shop: Open) -> None:
    adding, second = shop(), shop()
    adding.do(supply("desk", 7))

    locking = second.start(lock("desk"))
    assert locking.waits
    adding.commit()

    assert locking.result() == {"desk": 7}


def test_a_product_that_does_not_exist_cannot_be_locked(shop: Open) -> None:
    first, second = shop(), shop()
    first.do(lock("desk"))

    assert second.do(lock("desk")) == {}
    assert second.do(supply("desk", 7)) is True


@pytest.mark.parametrize(("commits", "moved", "then"), [(True, 0, "CANCELLED"), (False, 1, "CONFIRMED")])
def test_an_update_waits_for_the_other_and_then_asks_for_the_status_again(
    office: Open, commits: bool, moved: int, then: str
) -> None:
    cancelling, confirming = office(), office()
    cancelling.do(move(Status.CANCELLED, Status.PENDING, Status.CONFIRMED))

    confirmed = confirming.start(move(Status.CONFIRMED, Status.PENDING))
    assert confirmed.waits
    if commits:
        cancelling.commit()
    else:
        cancelling.roll_back()

    assert confirmed.result() == moved
    assert confirming.do(status) == then


def test_an_update_by_a_unique_key_waits_even_if_the_committed_row_does_not_match(office: Open) -> None:
    first, second = office(), office()
    first.do(move(Status.CONFIRMED, Status.PENDING))
    first.commit()
    first.do(move(Status.CANCELLED, Status.CONFIRMED))

    rejecting = second.start(move(Status.REJECTED, Status.PENDING))
    assert rejecting.waits
    first.commit()

    assert rejecting.result() == 0


def test_an_update_by_a_unique_key_locks_the_row_even_if_it_does_not_match(office: Open) -> None:
    first, second = office(), office()

    assert first.do(move(Status.REJECTED, Status.CONFIRMED)) == 0
    confirming = second.start(move(Status.CONFIRMED, Status.PENDING))
    assert confirming.waits
    first.commit()

    assert confirming.result() == 1


def test_an_update_by_the_primary_key_does_not_lock_a_row_that_does_not_match(office: Open) -> None:
    first, second = office(), office()
    unmatched = update(Order).where(Order.id == 1, Order.status == "CONFIRMED").values(reason="none")

    assert first.do(lambda opened: execute_and_count(opened, unmatched)) == 0
    assert second.do(move(Status.CONFIRMED, Status.PENDING)) == 1


def test_a_deadlock_rolls_back_one_transaction_and_the_other_goes_on(shop: Open) -> None:
    first, second = shop(), shop()
    first.do(set_stock(LAMP, 1))
    second.do(set_stock(CHAIR, 2))

    works = [first.start(lock(CHAIR)), second.start(lock(LAMP))]
    errors = [error for work in works if (error := work.error())]

    (error,) = errors
    assert isinstance(error, OperationalError)
    assert error_code(error) == DEADLOCK
    first.commit()
    second.commit()
    # The victim's update is undone, the other's is committed.
    assert (first.do(stock(LAMP)), first.do(stock(CHAIR))) in ((1, 5), (5, 2))


def test_a_lock_wait_timeout_undoes_the_statement_and_not_the_transaction(
    shop: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "LOCK_SECONDS", 1)
    first, second = shop(), shop()
    first.do(lock(LAMP))
    second.do(set_stock(CHAIR, 2))

    with pytest.raises(OperationalError) as raised:
        second.do(set_stock(LAMP, 3))

    assert code_of(raised) == LOCK_TIMEOUT
    assert second.do(stock(CHAIR)) == 2
    second.commit()
    assert (first.do(stock(LAMP)), first.do(stock(CHAIR))) == (5, 2)


def test_a_lost_connection_rolls_back(shop: Open, stage: Stage) -> None:
    lost, other = shop(), shop()
    lost.do(set_stock(LAMP, 1))
    locking = other.start(lock(LAMP))
    assert locking.waits

    stage.disconnect(lost.client)

    assert locking.result() == {LAMP: 5}
    with pytest.raises(OperationalError) as raised:
        lost.do(stock(LAMP))
    assert raised.value.connection_invalidated
    lost.roll_back()
    assert lost.do(stock(LAMP)) == 5


@pytest.mark.parametrize("work", [set_stock(LAMP, 1), lock(LAMP)], ids=["written", "locked"])
def test_a_session_that_idles_in_a_transaction_is_closed(
    shop: Open, work: Callable[[Session], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = shop()
    monkeypatch.setattr(bounds, "IDLE_TRANSACTION_SECONDS", 1)
    idle = shop()
    idle.do(work)

    assert other.do(lock(LAMP)) == {LAMP: 5}

    with pytest.raises(OperationalError) as raised:
        idle.do(stock(LAMP))
    assert raised.value.connection_invalidated
