"""The bounds of one look at the orders of users with open streams, and whose turn it is."""

import pytest

from orders_service.api import watch
from orders_service.api.database import WATCHER
from orders_service.api.watch import Waiter, Watcher
from tests.api.kit import Api

NOTHING = (0, 0)  # The signature of a user without orders.


@pytest.fixture
def watcher(api: Api) -> Watcher:
    """A watcher that looks only when a test says so."""
    return Watcher(api.engine(WATCHER), most=100)


def waiters(watcher: Watcher, user_id: str, count: int = 1) -> list[Waiter]:
    """Streams of a user that wait for the first order."""
    found = [Waiter(None) for _ in range(count)]
    watcher._users[user_id, NOTHING].update(found)
    return found


def woken(found: list[Waiter]) -> int:
    return sum(waiter.woken.is_set() for waiter in found)


def test_one_look_wakes_a_bounded_number_of_streams(
    api: Api, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "STREAMS_WOKEN", 3)
    found = waiters(watcher, "kim", 10)
    api.placed("kim")

    watcher._look(with_users=True)

    assert woken(found) == 3


def test_a_user_whose_orders_always_change_does_not_keep_other_users_waiting(
    api: Api, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "STREAMS_WOKEN", 3)
    busy = {user: waiters(watcher, user, 20) for user in ("ann", "bob")}
    quiet = {user: waiters(watcher, user) for user in ("kim", "lee", "max")}
    for user in quiet:
        api.placed(user)

    for _ in range(len(busy) + len(quiet)):
        for user in busy:
            api.placed(user)
        watcher._look(with_users=True)

    assert {user: woken(found) for user, found in quiet.items()} == dict.fromkeys(quiet, 1)


def test_users_take_turns_when_one_look_cannot_read_all(
    api: Api, watcher: Watcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "USERS_AT_ONCE", 2)
    monkeypatch.setattr(watch, "USERS_READ", 1)
    users = {user: waiters(watcher, user) for user in ("ann", "bob", "kim", "lee")}
    for user in users:
        api.placed(user)

    counts = []
    for _ in users:
        watcher._look(with_users=True)
        counts.append(sum(map(woken, users.values())))

    assert counts == [1, 2, 3, 4]
