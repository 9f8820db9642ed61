"""A transaction on both databases: what a failed attempt leaves is undone before the next."""

from collections.abc import Sequence
from contextlib import suppress

import pymysql
import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import IntegrityError, OperationalError

from orders_service import runtime
from orders_service.database import bounds
from orders_service.database.transactions import Failover, in_transaction
from tests.database.things import THINGS, things


def test_what_a_failed_commit_leaves_open_is_rolled_back_before_the_next_attempt(engine: Engine) -> None:
    attempts: list[int] = []

    def work(connection: Connection) -> None:
        attempts.append(len(attempts))
        THINGS.write(connection, [(len(attempts), "key")])

    @event.listens_for(engine, "commit")
    def on_commit(connection: Connection) -> None:
        if len(attempts) == 1:
            connection.exec_driver_sql("SELECT 1")  # What is held has now been sent.
            raise IntegrityError("COMMIT", None, Exception("a twin was first"))

    with engine.connect() as connection:
        in_transaction(connection, work)

    assert things(engine) == [(2, "lamp", "key", 1)]


def error(code: int, *, invalidated: bool = False) -> OperationalError:
    return OperationalError("", None, pymysql.OperationalError(code, "…"), connection_invalidated=invalidated)


def run(engine: Engine, errors: Sequence[OperationalError], *, failover: Failover | None = None) -> int:
    """Do a transaction that fails with *errors*, one after another; how often it was tried."""
    left, tried = list(errors), 0

    def work(_: Connection) -> None:
        nonlocal tried
        tried += 1
        if left:
            raise left.pop(0)

    with engine.connect() as connection, suppress(OperationalError):
        in_transaction(connection, work, attempts=2, failover=failover)
    return tried


def test_what_found_no_server_leaves_the_attempts_to_conflicts(engine: Engine) -> None:
    lost, refused, conflict = error(2013, invalidated=True), error(2003), error(1213)

    assert run(engine, [lost, refused, refused, refused, conflict]) == 6


def test_the_time_for_conflicts_begins_again_after_a_lost_connection(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(runtime, "monotonic", lambda: now)
    tried = 0

    def work(_: Connection) -> None:
        nonlocal now, tried
        tried += 1
        if tried == 1:
            now = bounds.LOCK_SECONDS + 1
            raise error(2013, invalidated=True)
        if tried == 2:
            raise error(1213)

    with engine.connect() as connection:
        in_transaction(connection, work, attempts=2)

    assert tried == 3


def test_after_a_failover_is_over_only_the_attempts_are_left(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "FAILOVER_SECONDS", 0)
    failover, lost = Failover(), [error(2013, invalidated=True)] * 9

    first, second = run(engine, lost, failover=failover), run(engine, lost, failover=failover)
    run(engine, [], failover=failover)

    assert (first, second) == (3, 2)
    assert run(engine, lost, failover=failover) == 3  # There was a server in the meantime.


@pytest.mark.parametrize("code", [1142, 1064])
def test_what_no_other_server_would_allow_is_not_looked_for_longer(engine: Engine, code: int) -> None:
    assert run(engine, [error(code, invalidated=True)] * 9) == 2
