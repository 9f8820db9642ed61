"""What operators look at is found by an index, however many dead letters were decided about before."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import insert, text
from sqlalchemy.orm import Session

from lab import Lab
from orders_service.database.columns import utc_now
from orders_service.events import dead_letter_search, dead_letters, dead_letters_by_state, set_aside
from orders_service.events.dead_letter_search import Filter, RecordId, State
from orders_service.events.tables import Action, DeadLetter
from orders_service.operations import actions, outboxes
from rig.databases import databases_in
from tests.database.plans import assert_indexed, explained

pytestmark = pytest.mark.real

DECIDED, WAITING = 5_000, 300


@pytest.fixture(scope="module")
def session(lab: Lab) -> Iterator[Session]:
    """A database of the real MariaDB with many dead letters, most of them discarded, and many actions."""
    with databases_in(lab) as databases, Session(databases.catalog) as session:
        now = utc_now()
        letter = {"topic": "t", "partition": 0, "record_timestamp": 1, "consumer_group": "g", "value": b"x"}
        letter |= {"headers": "[]", "reason": "unreadable", "detail": "d"}
        session.execute(
            insert(DeadLetter),
            [
                letter
                | {"offset": n, "created_at": now + timedelta(seconds=n)}
                | {"resolution": "discarded" if n < DECIDED else None}
                | {"held_at": now if n % 10 == 0 else None}
                for n in range(DECIDED + WAITING)
            ],
        )
        action = {"done_at": now, "done_by": "ann", "action": "a", "target": "t", "request_digest": "d"}
        session.execute(insert(Action), [action | {"idempotency_key": f"key-{n}"} for n in range(2_000)])
        session.commit()
        for table in ("dead_letters", "actions"):
            session.execute(text(f"ANALYZE TABLE {table}"))
        session.commit()
        yield session


def test_the_letters_that_wait_are_counted_by_an_index(session: Session) -> None:
    with explained() as plans:
        counts = dead_letters.count(session), dead_letters.count_on_hold(session)

    assert counts == (WAITING - WAITING // 10, WAITING // 10)
    assert_indexed(plans)
    assert all(int(plan["rows"]) <= 2 * WAITING for _, plan in plans), plans


@pytest.mark.parametrize("state", State)
def test_the_newest_letters_of_a_state_are_read_without_the_others(session: Session, state: State) -> None:
    with explained() as plans:
        found = dead_letters_by_state.newest(session, state, 20)

    assert len(found) == (0 if state == State.REPLAYED else 20)
    assert [one.offset for one in found] == sorted((one.offset for one in found), reverse=True)
    assert_indexed(plans)


@pytest.mark.parametrize("state", [State.WAITING, State.HOLD])
def test_unresolved_letters_are_read_from_any_place_by_the_index(session: Session, state: State) -> None:
    first, *others = dead_letters_by_state.unresolved(session, state)
    place = dead_letters_by_state.place(first)

    with explained() as plans:
        rest = list(dead_letters_by_state.unresolved(session, state, after=place))

    assert rest == others
    assert_indexed(plans)


def test_one_letter_is_found_by_its_key(session: Session) -> None:
    only = Filter(record_id=RecordId("t", 0, DECIDED + 1))

    with explained() as plans:
        found = list(dead_letter_search.find(session, only))

    assert len(found) == 1
    assert all(int(plan["rows"]) <= WAITING for _, plan in plans), plans


def test_the_newest_actions_and_the_outbox_are_read_by_their_keys(session: Session) -> None:
    with explained() as plans:
        newest = actions.newest(session)
        set_aside.newest(session, 50)
        outboxes.lanes(session)

    assert len(newest) == actions.LISTED
    assert all(int(plan["rows"] or 0) <= 100 for _, plan in plans), plans
