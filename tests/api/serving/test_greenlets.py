"""A greenlet waits until something comes or until its time is over: whichever is first, and never both."""

from collections.abc import Callable
from functools import partial
from typing import Any

import gevent
import pytest
from gevent.event import Event

from orders_service.api.serving.greenlets import ENDED_AT_ONCE, CoarseTimeout, Turns, WaitingGreenlet
from orders_service.orders.service import Placed, Placement
from rig.waiting import seconds

WANTED = Placement(order_id="o1", user_id="kim", product_id="LAMP", qty=1, unit_price=1)
PLACED = Placed(WANTED, replayed=False)


def started(function: Callable[[], object]) -> Any:
    """A greenlet that waits already."""
    greenlet = gevent.spawn(function)
    gevent.sleep(0)
    return greenlet


def waits(until: CoarseTimeout, event: Event, *, beyond: Event | None = None) -> list[str]:
    """What a greenlet sees that waits for *event*, and then for what is *beyond*."""
    seen: list[str] = []
    with until:
        event.wait()
        seen.append("it came")
    if beyond is not None:
        beyond.wait()
    return [*seen, "went on"]


def test_what_waits_too_long_goes_on_without() -> None:
    greenlet = started(lambda: waits(CoarseTimeout(0), Event()))

    CoarseTimeout.end_overdue()

    assert greenlet.get(timeout=seconds(5)) == ["went on"]


def test_many_waits_end_a_few_at_a_time_so_that_another_request_is_served_in_between() -> None:
    ended: list[int] = []

    def waits_in_vain(number: int) -> None:
        with CoarseTimeout(0):
            Event().wait()
        ended.append(number)

    greenlets = [started(partial(waits_in_vain, number)) for number in range(5 * ENDED_AT_ONCE)]
    CoarseTimeout.end_overdue()
    gevent.sleep(0)
    gevent.sleep(0)
    served_after = len(ended)
    gevent.joinall(greenlets, timeout=seconds(5))

    assert served_after <= ENDED_AT_ONCE
    assert sorted(ended) == list(range(5 * ENDED_AT_ONCE))


def test_what_comes_in_time_is_waited_for() -> None:
    event = Event()
    greenlet = started(lambda: waits(CoarseTimeout(60), event))

    CoarseTimeout.end_overdue()
    gevent.sleep(0)
    event.set()

    assert greenlet.get(timeout=seconds(5)) == ["it came", "went on"]
    assert not CoarseTimeout.open


def test_what_came_before_the_end_was_raised_is_not_hit_by_it() -> None:
    event, beyond = Event(), Event()
    greenlet = started(lambda: waits(CoarseTimeout(0), event, beyond=beyond))

    event.set()
    CoarseTimeout.end_overdue()
    gevent.sleep(0.01)
    beyond.set()

    assert greenlet.get(timeout=seconds(5)) == ["it came", "went on"]


def test_what_is_raised_within_is_raised_and_ends_the_wait() -> None:
    def fails() -> None:
        with CoarseTimeout(60):
            raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        fails()

    assert not CoarseTimeout.open


@pytest.mark.parametrize("first", ["the answer", "the wait"])
def test_an_order_has_its_answer_whichever_is_first(first: str) -> None:
    waiting = WaitingGreenlet(WANTED)
    if first == "the answer":
        waiting.answer(PLACED)
        gevent.sleep(0)
    greenlet = started(lambda: waiting.wait(60))
    waiting.answer(PLACED)

    greenlet.get(timeout=seconds(5))

    assert waiting.outcome is PLACED


def test_an_order_that_waits_too_long_has_no_answer_and_a_later_one_disturbs_nobody() -> None:
    waiting, beyond = WaitingGreenlet(WANTED), Event()

    def asks() -> Placed | Exception | None:
        waiting.wait(0)
        outcome = waiting.outcome
        beyond.wait()
        return outcome

    greenlet = started(asks)
    CoarseTimeout.end_overdue()
    gevent.sleep(0.01)
    waiting.answer(PLACED)
    gevent.sleep(0.01)

    assert not greenlet.ready(), "a late answer went on with something else"
    beyond.set()
    assert greenlet.get(timeout=seconds(5)) is None


def test_one_greenlet_has_a_turn_at_a_time_and_first_turns_go_before_later_ones() -> None:
    turns, order = Turns(), []

    def takes(name: str, *, first: bool) -> None:
        with turns.take(first=first):
            order.append(name)

    greenlets = [
        gevent.spawn(takes, name, first=first)
        for name, first in (("holder", False), ("later", False), ("first", True), ("second", True))
    ]
    gevent.joinall(greenlets, timeout=10)

    assert order == ["holder", "first", "second", "later"]


def test_a_greenlet_that_ends_while_it_waits_for_a_turn_keeps_nobody_waiting() -> None:
    turns, order = Turns(), []

    def takes(name: str) -> None:
        with turns.take(first=True):
            order.append(name)

    holder, killed, last = (gevent.spawn(takes, name) for name in ("holder", "killed", "last"))
    gevent.sleep(0)
    killed.kill()
    gevent.joinall([holder, last], timeout=10)

    assert order == ["holder", "last"]
