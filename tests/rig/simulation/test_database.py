"""The simulated database isolates its sessions as the real MariaDB does at READ COMMITTED."""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from orders_service.database import bounds
from orders_service.database.errors import error_code
from orders_service.database.transactions import execute_and_count
from orders_service.events import leases, requeue
from orders_service.orders.order import Order, Status
from orders_service.processes import DatabaseName
from rig.databases import databases_in
from rig.simulation.database import DEADLOCK, LOCK_TIMEOUT
from tests.rig.simulation.clients import Player, RealStage, SimulatedStage, Stage
from tests.rig.simulation.work import (
    CHAIR,
    LAMP,
    NOON,
    lock,
    move,
    numbers,
    orders,
    place,
    record,
    set_stock,
    status,
    stock,
    supply,
)

Open = Callable[..., Player]


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine does not end a wait. The tests of time-outs set shorter ones."""
    monkeypatch.setattr(bounds, "LOCK_SECONDS", 300)
    monkeypatch.setattr(bounds, "IDLE_TRANSACTION_SECONDS", 600)


@pytest.fixture(params=["simulated", pytest.param("mariadb", marks=pytest.mark.real)])
def stage(request: pytest.FixtureRequest) -> Iterator[Stage]:
    """Two empty databases: the simulated ones and, once more, real ones."""
    if request.param == "simulated":
        simulated = SimulatedStage()
        yield simulated
        simulated.close()
        return
    lab = request.getfixturevalue("lab")
    with databases_in(lab) as databases:
        real = RealStage(lab.mariadb, databases)
        yield real
        real.close()


@pytest.fixture
def client(stage: Stage) -> Open:
    """A function that opens a client."""

    def open_(database: DatabaseName, *, hold_inserts: bool = False, autocommit: bool = False) -> Player:
        return Player(stage, stage.open(database, hold_inserts=hold_inserts, autocommit=autocommit))

    return open_


@pytest.fixture
def shop(client: Open) -> Open:
    """A function that opens a client of a catalog with five lamps and five chairs."""
    stocker = client("catalog")
    for product in (LAMP, CHAIR):
        stocker.do(supply(product, 5))
    stocker.commit()
    return lambda **options: client("catalog", **options)


@pytest.fixture
def office(client: Open) -> Open:
    """A function that opens a client of orders, of which one is PENDING."""
    customer = client("orders")
    customer.do(place("first"))
    customer.commit()
    return lambda **options: client("orders", **options)


def code(error: pytest.ExceptionInfo[OperationalError]) -> object:
    return error_code(error.value)


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


def test_a_second_order_with_the_same_id_waits_and_fails_after_the_commit(office: Open) -> None:
    first, second = office(), office()
    first.do(place("twin"))

    placing = second.start(place("twin"))
    assert placing.waits
    first.commit()

    with pytest.raises(IntegrityError):
        placing.result()
    second.roll_back()
    assert second.do(orders) == 2


def test_a_second_order_with_the_same_id_waits_and_succeeds_after_the_rollback(office: Open) -> None:
    first, second = office(), office()
    first.do(place("twin"))

    placing = second.start(place("twin"))
    assert placing.waits
    first.roll_back()

    placing.result()
    second.commit()
    assert first.do(orders) == 2


def test_a_group_with_one_known_order_fails_as_a_whole(office: Open) -> None:
    customer = office()

    with pytest.raises(IntegrityError):
        customer.do(place("new", "first"))

    assert customer.do(orders) == 1


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


def test_the_session_that_inserts_first_has_the_lower_number_even_if_it_commits_last(office: Open) -> None:
    first, second = office(), office()

    first.do(record("early"))
    second.do(record("late"))
    second.commit()
    between = second.do(numbers)
    first.commit()

    found = second.do(numbers)
    assert "early" not in between
    assert found["first"] < found["early"] < found["late"] == between["late"]


def test_a_number_that_was_rolled_back_is_not_used_again(office: Open) -> None:
    writer = office()
    writer.do(record("lost"))
    lost = writer.do(numbers)["lost"]
    writer.roll_back()

    writer.do(record("kept"))

    assert writer.do(numbers)["kept"] > lost


def test_the_numbers_of_one_statement_ascend(office: Open) -> None:
    writer, other = office(), office()
    other.do(record("other"))

    writer.do(place("a", "b", "c"))

    found = writer.do(numbers)
    assert [*found] == ["first", "a", "b", "c"]
    assert max(found.values()) - found["a"] == 2


def test_a_requeued_event_gets_a_new_number(office: Open) -> None:
    operator = office(hold_inserts=True)
    before = operator.do(numbers)

    assert operator.do(lambda opened: requeue.requeue_since(opened, NOON, pending=True)) == 1

    assert operator.do(numbers)["first"] > before["first"]


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

    assert code(raised) == LOCK_TIMEOUT
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


def test_a_held_insert_is_sent_before_the_next_statement(office: Open) -> None:
    writer, other = office(hold_inserts=True), office()
    other.do(place("twin"))

    writer.do(place("twin"))  # Held back, so it need not wait.
    reading = writer.start(orders)
    assert reading.waits
    other.roll_back()

    assert reading.result() == 2


def test_a_held_insert_is_sent_with_the_commit(office: Open) -> None:
    writer, other = office(hold_inserts=True), office()
    writer.do(place("new"))

    other.do(place("new"))
    other.roll_back()
    writer.commit()

    assert other.do(orders) == 2


def test_the_duplicate_of_a_held_insert_is_raised_by_the_commit(office: Open) -> None:
    writer, other = office(hold_inserts=True), office()
    writer.do(place("a", "twin"))
    other.do(place("twin"))
    other.commit()

    with pytest.raises(IntegrityError):
        writer.commit()
    writer.roll_back()

    assert writer.do(orders) == 2


def test_a_held_insert_is_forgotten_by_the_rollback(office: Open) -> None:
    writer = office(hold_inserts=True)
    writer.do(place("new"))

    writer.roll_back()
    writer.commit()

    assert writer.do(orders) == 1


def test_with_autocommit_each_statement_is_committed_by_itself(office: Open) -> None:
    relay, other = office(autocommit=True, hold_inserts=True), office()

    relay.do(move(Status.CONFIRMED, Status.PENDING))
    seen = other.do(status)
    relay.roll_back()

    assert (seen, other.do(move(Status.CANCELLED, Status.CONFIRMED))) == ("CONFIRMED", 1)


def test_of_two_relays_only_one_acquires_a_lease(office: Open) -> None:
    def acquire(owner: str) -> Callable[[Session], bool]:
        return lambda opened: leases.acquire(opened.connection(), "lane", owner=owner, seconds=60)

    def release(opened: Session) -> None:
        leases.release(opened.connection(), owner="one")

    first, second = (office(autocommit=True, hold_inserts=True) for _ in range(2))

    acquired = [first.do(acquire("one")), second.do(acquire("two")), first.do(acquire("one"))]
    first.do(release)

    assert [*acquired, second.do(acquire("two"))] == [True, False, True, True]
