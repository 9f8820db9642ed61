"""What is said of a consumer group, reading by reading."""

import pytest

from orders_service.events.brokers.observer import GroupState, Member
from orders_service.operations.road.consumers import is_stopped, waiting_answers, waiting_orders
from orders_service.operations.road.history import Progress
from orders_service.operations.road.log import GroupReading

PLACE = "topic", 0
MEMBER = Member("shop-1", [PLACE])


def group(end: int, read: int, *members: Member) -> GroupReading:
    return GroupReading("group", "topic", GroupState(members, {PLACE: read}), {PLACE: end - read}, end)


def test_a_consumer_without_a_member_is_stopped_when_records_have_waited_for_a_while() -> None:
    progress = Progress()
    stopped = []

    for at in range(6):
        state = group(10 if at else 9, 9)
        progress.note(at, state)
        stopped.append(is_stopped(state, progress))

    assert stopped == [False, False, False, False, True, True]


def test_a_consumer_is_not_stopped_at_once_although_it_has_a_backlog() -> None:
    progress, state = Progress(), group(1_000, 1)

    progress.note(0, state)

    assert not is_stopped(state, progress)


def test_it_is_known_for_how_long_a_group_has_had_no_consumer() -> None:
    progress, said = Progress(), []

    for at, members in enumerate([(), (MEMBER,), (), ()]):
        progress.note(at, group(10, 9, *members))
        said.append(progress.unmanned_seconds)

    assert said == [None, None, 1, 2]


def test_without_a_member_it_is_stopped_at_once_if_the_newest_order_has_waited() -> None:
    progress, state = Progress(), group(10, 9)

    progress.note(0, state)

    assert not is_stopped(state, progress, waited=1.0)
    assert is_stopped(state, progress, waited=3.5)


@pytest.mark.parametrize(
    ("readings", "oldest"),
    [
        ([(9, 9), (10, 9), (10, 9)], 2.0),
        ([(9, 9), (10, 9), (20, 10)], 1.0),
        ([(9, 9), (10, 9), (20, 20)], None),
        ([(10, 9), (10, 9), (20, 9)], None),  # It waited before the first reading.
        ([(9, 9), (10, 9), (1, 0)], None),  # Another log.
    ],
)
def test_the_oldest_record_has_waited_since_the_topic_was_longer(
    readings: list[tuple[int, int]], oldest: float | None
) -> None:
    progress = Progress()

    for at, (end, read) in enumerate(readings):
        progress.note(at, group(end, read, MEMBER))

    assert progress.oldest_seconds == oldest


def test_the_records_that_wait_are_counted_exactly_and_orders_as_far_as_they_are_counted() -> None:
    assert waiting_orders(group(25_000, 0), pending=10_000) == "10,000 or more orders wait for the catalog"
    assert waiting_orders(group(3, 0), pending=1) == "1 order waits for the catalog"
    assert waiting_orders(group(1, 0), pending=0) == "1 record waits for the catalog"
    assert waiting_answers(group(25_000, 0)) == "25,000 answers wait for the status-consumer"
