"""Tests of the judge: it accepts a sound history, and names each broken promise."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from rig.customers import Customer
from rig.promises import PROMISES, Fact, History, violations


def sound() -> History:
    """Three lamps: Ann cancels her order of two, then Lee gets two, and Kim is rejected."""
    history = History(stock={"LAMP": 1}, supplied={"LAMP": 3})
    add(history, "ann", "CANCELLED", "RELEASED", "placed", "reserved", "cancelled")
    add(history, "lee", "CONFIRMED", "RESERVED", "placed", "reserved")
    add(history, "kim", "REJECTED", "REJECTED", "placed", "rejected")
    return history


def add(history: History, user: str, status: str, state: str, *events: str) -> None:
    """Add one customer with an order of two lamps, with its reservation and its events."""
    reason = "insufficient-stock" if state == "REJECTED" else None
    order: Any = SimpleNamespace(
        order_id=user, user_id=user, product_id="LAMP", qty=2, status=status, reason=reason
    )
    reservation: Any = SimpleNamespace(order_id=user, product_id="LAMP", qty=2, state=state, reason=reason)
    customer = Customer(user, "LAMP", 2, key=None, repeats=False, cancels=False, order_ids=[user])
    customer.cancelled = True if status == "CANCELLED" else None
    history.told = [*history.told, customer]
    history.orders = {**history.orders, user: order}
    history.reservations = {**history.reservations, user: reservation}
    for event in events:
        record(history, user, event)


def record(history: History, user: str, event: str) -> None:
    """Add an event to the outbox and to the log."""
    in_catalog = event in ("placed", "cancelled")
    type_ = f"{'order' if in_catalog else 'stock'}.{event}.v1"
    topic = "catalog" if in_catalog else "stock"
    qty = -2 if event == "cancelled" else 2
    fact = Fact(
        (topic, 0, len(history.facts)), f"{user} {event}", type_, user, {"productId": "LAMP", "qty": qty}
    )
    row: Any = SimpleNamespace(
        id=fact.id, type=type_, aggregateid=user, topic=topic, payload="{}", lane=None, error=None
    )
    history.outbox = [*history.outbox, row]
    history.facts = [*history.facts, fact]


def without(history: History, fact_id: str) -> None:
    history.facts = [fact for fact in history.facts if fact.id != fact_id]


def swap_placings(history: History) -> None:
    """Put Kim's order before Lee's in the log."""
    ids = [fact.id for fact in history.facts]
    lee, kim = ids.index("lee placed"), ids.index("kim placed")
    facts = [*history.facts]
    facts[lee], facts[kim] = (
        replace(facts[kim], place=facts[lee].place),
        replace(facts[lee], place=facts[kim].place),
    )
    history.facts = facts


def swap_cancelled(history: History) -> None:
    facts = {fact.id: fact for fact in history.facts}
    placed, cancelled = facts["ann placed"], facts["ann cancelled"]
    history.facts = [
        replace(fact, place={placed.id: cancelled, cancelled.id: placed}.get(fact.id, fact).place)
        for fact in history.facts
    ]


def order(history: History, user: str) -> Any:
    return history.orders[user]


def reservation(history: History, user: str) -> Any:
    return history.reservations[user]


def ghost_order(history: History) -> None:
    add(history, "eve", "CONFIRMED", "RESERVED")
    history.told = history.told[:-1]


def letter(value: bytes) -> Any:
    return SimpleNamespace(value=value, topic="t", partition=0, offset=0, reason="r", detail="d")


BREAKS: dict[str, tuple[str, Callable[[History], object]]] = {
    "a server error is told": ("answers_are_sane", lambda h: h.told[0].odd.append("500")),
    "one key, two orders": ("answers_are_sane", lambda h: h.told[0].order_ids.append("lee")),
    "an accepted order is gone": ("no_order_is_lost", lambda h: h.told[0].order_ids.insert(0, "gone")),
    "another order was recorded": ("no_order_is_lost", lambda h: setattr(order(h, "lee"), "qty", 1)),
    "a marked event is not in the log": ("no_event_is_lost", lambda h: without(h, "kim placed")),
    "an event waits for ever": ("no_event_is_lost", lambda h: setattr(h.outbox[0], "lane", "catalog")),
    "an event was set aside": ("no_event_is_lost", lambda h: setattr(h.outbox[0], "error", "too large")),
    "an order has no event": ("no_event_is_lost", lambda h: add(h, "eve", "REJECTED", "REJECTED")),
    "nobody asked for an order": ("no_ghosts", ghost_order),
    "an event has no order": ("no_ghosts", lambda h: record(h, "eve", "placed")),
    "an event says otherwise": ("no_ghosts", lambda h: h.facts[0].data.update(qty=9)),  # type: ignore[attr-defined]
    "an answer nobody decided": ("no_ghosts", lambda h: record(h, "kim", "reserved")),
    "a cancelled event of a standing order": ("no_ghosts", lambda h: record(h, "lee", "cancelled")),
    "pieces vanish": ("stock_adds_up", lambda h: setattr(h, "stock", {"LAMP": 0})),
    "stock is negative": ("stock_adds_up", lambda h: setattr(h, "stock", {"LAMP": -1})),
    "pieces are sold twice": (
        "stock_adds_up",
        lambda h: setattr(reservation(h, "kim"), "state", "RESERVED"),
    ),
    "cancelled before it was placed": ("first_deliveries_are_in_order", swap_cancelled),
    "an order is left": ("every_order_is_answered", lambda h: setattr(order(h, "lee"), "status", "PENDING")),
    "a foreign order is left": ("every_order_is_answered", lambda h: setattr(h, "foreign", {"eve"})),
    "confirmed without pieces": (
        "every_order_is_answered",
        lambda h: setattr(order(h, "kim"), "status", "CONFIRMED"),
    ),
    "confirmed after it was cancelled": (
        "every_order_is_answered",
        lambda h: setattr(order(h, "ann"), "status", "CONFIRMED"),
    ),
    "the later one got the last pieces": ("the_log_decides", swap_placings),
    "an innocent dead letter": ("only_poison_is_dead", lambda h: setattr(h, "dead", [letter(b"{}")])),
    "poison is swallowed": ("only_poison_is_dead", lambda h: setattr(h, "poison", {b"!"})),
}


def test_a_sound_history_breaks_nothing() -> None:
    assert violations(sound()) == []


def test_events_that_come_again_break_nothing() -> None:
    history = sound()

    history.facts = [*history.facts, *history.facts]

    assert violations(history) == []


@pytest.mark.parametrize(("promise", "break_it"), BREAKS.values(), ids=BREAKS)
def test_a_broken_promise_is_named(promise: str, break_it: Callable[[History], object]) -> None:
    history = sound()

    break_it(history)

    assert promise in [found.partition(":")[0] for found in violations(history)]


def test_every_promise_can_be_broken() -> None:
    assert {promise for promise, _ in BREAKS.values()} == PROMISES.keys()
