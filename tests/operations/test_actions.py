"""The record of an action that is done in parts: it is done by one request at a time."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy.orm import Session

from orders_service.database.columns import utc_now
from orders_service.operations import actions
from orders_service.operations.actions import FAILED, RUNNING_SECONDS, Request, StillRunning, in_parts
from rig.databases import Databases

REQUEST = Request(action="outbox requeue", on="orders", by="ann", key="k")
DONE = {"done": "2 events will be sent again."}


@pytest.fixture
def session(databases: Databases) -> Iterator[Session]:
    """A session of the database that has the actions."""
    with Session(databases.orders, expire_on_commit=False) as session:
        yield session


def outcome(session: Session) -> str | None:
    (row,) = actions.newest(session)
    session.rollback()
    found: str | None = row.outcome
    return found


def test_the_same_request_during_an_action_does_nothing(session: Session, databases: Databases) -> None:
    def work() -> actions.Answer:
        with Session(databases.orders) as other, pytest.raises(StillRunning):
            in_parts(other, REQUEST, lambda: {"done": "twice"})
        return DONE

    in_parts(session, REQUEST, work)

    assert outcome(session) == DONE["done"]


def test_an_action_whose_process_was_killed_is_taken_over_after_a_while(session: Session) -> None:
    def killed() -> actions.Answer:
        begun = utc_now() + timedelta(seconds=RUNNING_SECONDS)
        assert not in_parts(session, REQUEST, lambda: DONE, clock=lambda: begun).replayed
        return {"done": "too late"}

    in_parts(session, REQUEST, killed)

    assert outcome(session) == DONE["done"]


def test_a_failed_action_is_recorded_and_can_be_repeated_at_once(session: Session) -> None:
    def fails() -> actions.Answer:
        raise RuntimeError

    with pytest.raises(RuntimeError):
        in_parts(session, REQUEST, fails)
    failed = outcome(session)

    repeated = in_parts(session, REQUEST, lambda: DONE)

    assert failed == FAILED
    assert (repeated.answer, repeated.replayed) == (DONE, False)
    assert outcome(session) == DONE["done"]
