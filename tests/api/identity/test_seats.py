"""The seats of requests that wait: how many there are, and how many one user may take."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orders_service.api.seats import Seats, TooManyWaiters
from tests.api.identity.kit import bearer, token
from tests.api.kit import ORDERS, Api, assert_problem

USERS = ("", "kim", "ann")


def is_taken(take: Callable[[], None]) -> bool:
    """Whether a seat was free."""
    try:
        take()
    except TooManyWaiters:
        return False
    return True


@given(st.integers(1, 12), st.lists(st.tuples(st.sampled_from(USERS), st.booleans()), max_size=60))
def test_no_user_takes_more_than_a_quarter_and_all_together_no_more_than_there_are(
    most: int, acts: list[tuple[str, bool]]
) -> None:
    seats, taken = Seats(most), dict.fromkeys(USERS, 0)

    for user, takes in acts:
        if takes:
            is_free = sum(taken.values()) < most and (not user or taken[user] < max(1, most // 4))
            assert is_taken(lambda: seats.take(user)) == is_free  # noqa: B023
            taken[user] += is_free
        elif taken[user]:
            seats.leave(user)
            taken[user] -= 1

        assert seats.taken == sum(taken.values())
        assert set(seats._taken_by) == {user for user, count in taken.items() if user and count}


@pytest.mark.parametrize("path", [f"{ORDERS}/events", f"{ORDERS}/unknown/events"])
def test_a_user_whose_streams_take_a_quarter_does_not_keep_others_from_waiting(
    secured: Api, path: str
) -> None:
    seats = secured.app.extensions["watcher"].seats
    kim = bearer(token(sub="kim"))
    for _ in range(seats.most_of_user):
        seats.take("kim")
    try:
        refused = secured.client.get(path, headers=kim)
        seats.require_one("ann")
    finally:
        for _ in range(seats.most_of_user):
            seats.leave("kim")

    assert_problem(refused, 503, "too-many-waiters")
    assert seats.taken == 0
