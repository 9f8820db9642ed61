"""The metrics of a relay: what became of its events, and whether it holds its lease."""

import pytest
from sqlalchemy import event, update
from sqlalchemy.exc import OperationalError

from orders_service.database.columns import database_now
from orders_service.events.relay import Relay
from orders_service.events.tables import Lease, OutboxRow
from rig.waiting import await_true
from tests.events.kit import CATALOG, STOCK, Post, Slow, placed, reserved
from tests.metrics.growth import Growth, value

EVENTS, HELD, ACKS = "orders_relay_events_total", "orders_relay_lease_held", "orders_relay_ack_seconds_count"


def held(lane: str = CATALOG) -> float | None:
    return value(HELD, lane=lane)


def test_a_lane_begins_at_0_before_its_first_event(post: Post) -> None:
    lane = "a-topic-without-events"

    post.relays.append(Relay(post.engine, post.broker.producer(), owner="a", topics=[lane]))

    assert [value(EVENTS, lane=lane, outcome=o) for o in ("acknowledged", "failed", "set-aside")] == [0, 0, 0]
    assert (held(lane), value(ACKS, lane=lane)) == (0, 0)


def test_each_event_is_counted_with_its_outcome(post: Post) -> None:
    growth, relay = Growth(), post.relay()
    post.record(*(placed(f"o{n}") for n in range(5)), reserved("o5"))
    with post.sessions.begin() as session:
        too_large = update(OutboxRow).where(OutboxRow.aggregateid == "o1")
        session.execute(too_large.values(payload="x" * 2_000_000))

    relay.step()

    assert growth.by(EVENTS, "outcome", lane=CATALOG) == {"acknowledged": 4, "set-aside": 1}
    assert growth.by(EVENTS, "outcome", lane=STOCK) == {"failed": 1}  # Its topic is missing.
    assert growth.by(ACKS, "lane") == {CATALOG: 1}


def test_events_whose_mark_is_rolled_back_are_counted_when_they_are_marked(post: Post) -> None:
    growth, relay, failed = Growth(), post.relay(), False

    def fail_once(_: object, __: object, statement: str, *___: object) -> None:
        nonlocal failed
        if statement.startswith("UPDATE outbox") and not failed:
            failed = True
            raise OperationalError(statement, {}, Exception(1213, "Deadlock found"))

    event.listen(post.engine, "before_cursor_execute", fail_once)
    post.record(placed("o1"), placed("o2"))
    with pytest.raises(OperationalError):
        relay.step()
    counted_unmarked = growth.by(EVENTS, "outcome", lane=CATALOG)

    relay.step()

    assert counted_unmarked == {}
    assert growth.by(EVENTS, "outcome", lane=CATALOG) == {"acknowledged": 2}


def test_events_that_are_acknowledged_while_it_stops_are_counted(post: Post) -> None:
    growth, slow = Growth(), Slow(post.broker.producer(), CATALOG)
    relay = Relay(post.engine, slow, owner="a", lease_seconds=0.1)
    post.record(placed("o1"))
    relay.step()
    slow.stuck = False

    relay.close()

    assert growth.by(EVENTS, "outcome", lane=CATALOG) == {"acknowledged": 1}


def test_the_lease_is_shown_while_it_is_held(post: Post) -> None:
    relay = post.relay()
    post.record(placed("o1"))

    relay.step()

    assert held() == 1
    post.relays.remove(relay)
    relay.close()
    assert held() == 0


def test_a_lease_that_another_relay_has_taken_is_shown_as_lost(post: Post) -> None:
    relay = Relay(post.engine, post.broker.producer(), owner="a", lease_seconds=0.05)
    post.relays.append(relay)
    post.record(placed("o1"))
    relay.step()
    with post.sessions.begin() as session:
        session.execute(update(Lease).values(owner="other", expires_at=database_now(60)))
    post.record(placed("o2"))

    await_true(lambda: not relay.step() and held() == 0, "the lease has run out")


def test_a_lease_that_an_idle_relay_lets_run_out_is_shown_as_lost(post: Post) -> None:
    relay = Relay(post.engine, post.broker.producer(), owner="a", lease_seconds=0.05)
    post.relays.append(relay)
    post.record(placed("o1"))
    relay.step()

    await_true(lambda: not relay.step() and held() == 0, "the lease has run out")
