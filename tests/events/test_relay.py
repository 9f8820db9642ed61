"""From the outbox to the broker: oldest first, each lane by itself, sent before marked."""

from typing import Any

import pytest
from sqlalchemy import event, func, insert, select, update
from sqlalchemy.orm import Session

from orders_service.database.columns import database_now, utc_now
from orders_service.events import leases
from orders_service.events.brokers.port import Record, TopicSpec
from orders_service.events.relay import RETRY_BATCH, Relay
from orders_service.events.tables import Lease, OutboxRow
from rig.waiting import await_true
from tests.events.kit import CATALOG, STOCK, Post, Slow, cancelled, placed, reserved


def event_of(record: Record) -> tuple[str, str]:
    """Which order's, and of what type."""
    headers = dict(record.headers)
    return (headers["ce_subject"] or b"").decode(), (headers["ce_type"] or b"").decode()


def test_events_go_out_oldest_first_and_are_marked(post: Post) -> None:
    post.record(*(placed(f"o{n}") for n in range(5)))

    busy = post.relay().step()

    assert busy
    assert [dict(record.headers)["ce_subject"] for record in post.log()] == [
        b"o0",
        b"o1",
        b"o2",
        b"o3",
        b"o4",
    ]
    assert all(row.lane is None and row.published_at for row in post.rows())


def test_with_nothing_pending_there_is_nothing_to_do(post: Post) -> None:
    assert not post.relay().step()


def test_a_rolled_back_order_has_no_event(post: Post) -> None:
    with post.sessions() as session:
        post.outbox.record(session.connection(), [placed()], utc_now())
        session.rollback()

    post.relay().step()

    assert post.log() == []


def test_an_order_is_in_a_batch_once_so_that_its_events_stay_in_order(post: Post) -> None:
    relay = post.relay()
    post.record(placed("o1"), cancelled("o1"), placed("o2"))

    relay.step()
    first = [event_of(record) for record in post.log()]
    relay.step()

    assert first == [("o1", "order.placed.v1"), ("o2", "order.placed.v1")]
    assert [event_of(record) for record in post.log()][2:] == [("o1", "order.cancelled.v1")]


def test_a_topic_that_does_not_answer_holds_up_no_other(post: Post) -> None:
    post.broker.create_topics([STOCK], TopicSpec(partitions=1))
    slow = Slow(post.broker.producer(), CATALOG)
    relay = Relay(post.engine, slow, owner="a")
    post.relays.append(relay)
    post.record(placed("o1"), reserved("o2"))

    relay.step()
    post.record(reserved("o3"))
    relay.step()
    while_stuck = len(post.log(CATALOG)), len(post.log(STOCK))
    slow.stuck = False
    relay.step()

    assert while_stuck == (0, 2)
    assert len(post.log(CATALOG)) == 1
    assert all(row.published_at for row in post.rows())


def test_what_is_acknowledged_while_it_stops_is_marked(post: Post) -> None:
    slow = Slow(post.broker.producer(), CATALOG)
    relay = Relay(post.engine, slow, owner="a", lease_seconds=0.1)
    post.record(placed("o1"))
    relay.step()
    slow.stuck = False

    relay.close()

    assert post.rows()[0].published_at


def test_a_topic_that_is_missing_starves_no_other_and_keeps_its_events(post: Post) -> None:
    relay = post.relay()
    post.record(reserved("o1"), placed("o2"))

    relay.step()

    assert [row.lane for row in post.rows()] == [STOCK, None]
    assert len(post.log()) == 1


def test_events_of_a_missing_topic_go_out_once_it_is_created(post: Post) -> None:
    post.record(reserved("o1"))
    post.relay("a").step()
    post.relays[0].close()
    post.broker.create_topics([STOCK], TopicSpec(partitions=1))

    post.relays[0] = Relay(post.engine, post.broker.producer(), owner="b")
    post.relays[0].step()

    assert len(post.log(STOCK)) == 1


def test_a_lane_that_failed_is_tried_again_with_a_few_events_and_then_sends_all(post: Post) -> None:
    relay = post.relay()
    post.record(*(reserved(f"o{number}") for number in range(50)))
    relay.step()
    post.broker.create_topics([STOCK], TopicSpec(partitions=1))

    await_true(relay.step, "the lane's back-off is over")
    tried = len(post.log(STOCK))
    relay.step()

    assert tried == RETRY_BATCH
    assert len(post.log(STOCK)) == 50


def test_a_record_refused_for_good_is_set_aside_and_the_next_goes_on(post: Post) -> None:
    relay = post.relay()
    post.record(placed("o1"), placed("o2"))
    with post.sessions.begin() as session:
        session.execute(
            update(OutboxRow).where(OutboxRow.aggregateid == "o1").values(payload="x" * 2_000_000)
        )

    relay.step()

    aside, sent = post.rows()
    assert (aside.lane, aside.published_at) == (None, None)
    assert aside.error
    assert sent.published_at
    assert len(post.log()) == 1


def test_a_crash_between_sending_and_marking_sends_again(post: Post) -> None:
    post.record(placed())
    post.relay().step()
    with post.sessions.begin() as session:
        session.execute(update(OutboxRow).values(lane=CATALOG, published_at=None))

    post.relays[0].step()

    assert len(post.log()) == 2


def test_a_lane_has_one_owner(post: Post) -> None:
    first, second = post.relay("a"), post.relay("b")
    post.record(placed("o1"))
    first.step()
    post.record(placed("o2"))

    assert not second.step()
    assert first.step()


def test_a_closed_relay_is_followed_at_once(post: Post) -> None:
    post.record(placed("o1"))
    post.relay("a").step()
    post.relays.pop().close()
    post.record(placed("o2"))

    assert post.relay("b").step()


def test_a_relay_that_died_is_followed_when_its_lease_has_run_out(post: Post) -> None:
    post.record(placed("o1"))
    post.relay("a").step()
    with post.sessions.begin() as session:
        session.execute(update(Lease).values(expires_at=database_now(-1)))
    post.record(placed("o2"))

    assert post.relay("b").step()


def test_of_two_who_take_a_new_lane_at_once_one_has_it(post: Post) -> None:
    if post.engine.dialect.name == "sqlite":
        pytest.skip("SQLite lets one in after the other")
    first: list[bool] = []

    def on_statement(_: Any, __: Any, statement: str, *___: Any) -> None:
        if statement.startswith("INSERT INTO leases") and not first:
            with post.databases.orders.connect() as other:
                first.append(leases.acquire(other, CATALOG, owner="first", seconds=60))

    event.listen(post.engine, "before_cursor_execute", on_statement)
    with post.engine.connect() as connection:
        late = leases.acquire(connection, CATALOG, owner="late", seconds=60)
        other_lane = leases.acquire(connection, STOCK, owner="late", seconds=60)
        owners = [
            connection.scalar(select(Lease.owner).where(Lease.lane == lane)) for lane in (CATALOG, STOCK)
        ]

    assert (first, late, other_lane) == ([True], False, True)
    assert owners == ["first", "late"]


def test_a_lease_lasts_as_long_as_the_database_says(post: Post) -> None:
    with post.engine.connect() as connection:
        assert leases.acquire(connection, CATALOG, owner="a", seconds=60)

        assert not leases.acquire(connection, CATALOG, owner="b", seconds=60)
        assert leases.acquire(connection, CATALOG, owner="a", seconds=60)
        left = connection.scalars(select(Lease.expires_at)).one() - utc_now()
        assert 55 < left.total_seconds() <= 61


def test_an_event_recorded_late_with_a_smaller_number_is_not_skipped(post: Post) -> None:
    relay = post.relay()
    post.record(placed("o1"), placed("o2"))
    relay.step()
    with post.sessions.begin() as session:
        row = {
            **vars(post.rows()[0]),
            "seq": -1,
            "aggregateid": "late",
            "lane": CATALOG,
            "published_at": None,
        }
        del row["_sa_instance_state"]
        session.execute(insert(OutboxRow), [row])

    relay.step()

    with Session(post.sessions.kw["bind"]) as session:
        assert session.scalar(select(func.count()).where(OutboxRow.lane.is_not(None))) == 0
    assert len(post.log()) == 3
