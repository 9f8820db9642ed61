"""The simulated database inserts rows, numbers and holds them as the real MariaDB and `one_trip.py` do."""

from collections.abc import Callable

import pytest
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from orders_service.events import leases, requeue
from orders_service.orders.order import Status
from tests.rig.simulation.clients import Open
from tests.rig.simulation.work import (
    NOON,
    move,
    numbers,
    orders,
    place,
    record,
    status,
)


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
