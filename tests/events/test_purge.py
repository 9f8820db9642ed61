"""What was published long ago leaves the outbox, at the cost of what is deleted."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Engine, func, select, update
from sqlalchemy.orm import Session, sessionmaker

from lab import Lab
from orders_service.contract.events import OrderPlaced
from orders_service.contract.topics import Topics
from orders_service.database.columns import utc_now
from orders_service.database.engines import open_relay_engine
from orders_service.events import pending
from orders_service.events.outbox import Outbox
from orders_service.events.tables import OutboxRow
from orders_service.events.upkeep import CHUNK, Purge, purge_all
from rig.databases import Databases, databases_in

NOW = utc_now()
BEFORE = NOW - timedelta(days=14)
OLD = NOW - timedelta(days=15)
AHEAD = NOW + timedelta(days=365)  # By a clock that was wrong.


@pytest.fixture
def engine(databases: Databases) -> Iterator[Engine]:
    """A relay's engine on an empty outbox."""
    found = open_relay_engine(databases.orders_url)
    yield found
    found.dispose()


def record(
    engine: Engine,
    count: int,
    *,
    recorded: datetime = OLD,
    published: datetime | None = None,
    error: str | None = None,
    pending: bool = False,
) -> list[int]:
    """So many events. Their numbers."""
    outbox = Outbox("/order-service", Topics(), sent_by_relay=pending)
    with Session(engine) as session:
        last = session.scalar(select(func.max(OutboxRow.seq))) or 0
        events = [OrderPlaced(order_id=str(number), product_id="LAMP", qty=1) for number in range(count)]
        outbox.record(session.connection(), events, recorded)
        session.flush()
        of_these = OutboxRow.seq > last
        session.execute(update(OutboxRow).where(of_these).values(published_at=published, error=error))
        session.commit()
        return list(session.scalars(select(OutboxRow.seq).where(of_these).order_by(OutboxRow.seq)))


def left(engine: Engine) -> list[int]:
    with Session(engine) as session:
        return list(session.scalars(select(OutboxRow.seq).order_by(OutboxRow.seq)))


def step(engine: Engine, purge: Purge) -> int:
    with Session(engine) as session:
        return purge.step(session, before=BEFORE)


def turn(engine: Engine, *, steps: int) -> list[int]:
    """So many steps, whether it would rest or not. What each deleted."""
    purge = Purge()
    return [step(engine, purge) for _ in range(steps)]


def test_an_event_is_purged_by_the_time_it_was_published(engine: Engine) -> None:
    record(engine, 1, recorded=OLD, published=OLD)
    (late,) = record(engine, 1, recorded=OLD, published=NOW)
    record(engine, 1, recorded=AHEAD, published=OLD)

    turn(engine, steps=2)

    assert left(engine) == [late]


def test_what_is_pending_or_set_aside_stays(engine: Engine) -> None:
    kept = record(engine, 3, pending=True) + record(engine, 3, error="too large")
    record(engine, 3, published=OLD)

    turn(engine, steps=2)

    assert left(engine) == kept


def test_what_change_data_capture_carries_is_purged_by_the_time_it_was_recorded(engine: Engine) -> None:
    record(engine, 3, recorded=OLD)
    kept = record(engine, 3, recorded=NOW)

    turn(engine, steps=2)

    assert left(engine) == kept


@pytest.mark.parametrize("first", [1200, 12 * CHUNK])
def test_rows_with_a_wrong_time_hold_up_no_others(engine: Engine, first: int) -> None:
    kept = record(engine, first, recorded=AHEAD, published=AHEAD)
    record(engine, 5000, published=OLD)
    kept += record(engine, 10, recorded=NOW, published=NOW)

    turn(engine, steps=2 * (first + 5000) // CHUNK)

    assert left(engine) == kept


def test_rows_that_become_due_behind_the_place_are_found(engine: Engine) -> None:
    late = record(engine, 10, published=NOW)
    record(engine, 2 * CHUNK, published=OLD)
    purge = Purge()
    for _ in range(6):
        step(engine, purge)
    assert left(engine) == late

    with Session(engine) as session:
        for _ in range(4):
            purge.step(session, before=NOW + timedelta(days=1))

    assert left(engine) == []


def test_one_pass_over_all_deletes_all_that_is_due(engine: Engine) -> None:
    kept = record(engine, CHUNK + 1, published=AHEAD)
    record(engine, 2 * CHUNK + 1, published=OLD)

    with Session(engine) as session:
        assert purge_all(session, before=BEFORE) == 2 * CHUNK + 1

    assert left(engine) == kept


def test_it_goes_on_while_chunks_are_full_and_rests_after_one_that_is_not(engine: Engine) -> None:
    record(engine, 2 * CHUNK + 1, published=OLD)
    purge, deleted = Purge(), []

    while not purge.is_paused:
        deleted.append(step(engine, purge))

    assert deleted == [CHUNK, CHUNK, 1, 0]


@pytest.fixture
def mariadb(lab: Lab) -> Iterator[Engine]:
    """A relay's engine on an empty outbox of the real server, for what SQLite does not know."""
    with databases_in(lab) as databases:
        found = open_relay_engine(databases.orders_url)
        yield found
        found.dispose()


@pytest.mark.real
def test_stuck_rows_are_not_walked_over(mariadb: Engine) -> None:
    kept = record(mariadb, 20 * CHUNK, pending=True)
    record(mariadb, 10, published=OLD)
    with mariadb.connect() as connection:
        connection.exec_driver_sql("ANALYZE TABLE outbox").all()

    with mariadb.connect() as connection, Session(connection) as session:
        before = rows_read(connection)
        deleted = Purge().step(session, before=BEFORE)
        read = rows_read(connection) - before

    assert deleted == 10
    assert read < 100
    assert left(mariadb) == kept


@pytest.mark.real
@pytest.mark.parametrize("published", [1, 900])
def test_it_waits_for_nobody_who_writes(mariadb: Engine, published: int) -> None:
    record(mariadb, published, published=OLD)
    outbox = Outbox("/order-service", Topics())

    with mariadb.connect() as other:
        other.exec_driver_sql("START TRANSACTION")
        outbox.record(other, [OrderPlaced(order_id="open", product_id="LAMP", qty=1)], OLD)
        other.exec_driver_sql("SELECT 1")  # What was held back has now been sent.
        deleted = turn(mariadb, steps=2)
        seen = len(left(mariadb))
        other.exec_driver_sql("COMMIT")

    assert sum(deleted) == published
    assert (seen, len(left(mariadb))) == (0, 1)


@pytest.mark.real
def test_two_purges_at_once_delete_all_of_it_once(mariadb: Engine) -> None:
    record(mariadb, 300, published=OLD)
    sessions = sessionmaker(mariadb)

    with sessions() as one, sessions() as another:
        first, second = Purge(), Purge()
        deleted = first.step(one, before=BEFORE), second.step(another, before=BEFORE)

    assert deleted == (300, 0)
    assert left(mariadb) == []


@pytest.mark.real
def test_what_is_told_of_stuck_rows_costs_no_more_for_more_of_them(mariadb: Engine) -> None:
    record(mariadb, 5 * CHUNK, pending=True)

    with mariadb.connect() as connection, Session(connection) as session:
        before = rows_read(connection)
        (waiting,) = pending.by_lane(session, most=100)
        pending.oldest_by_lane(session)
        read = rows_read(connection) - before

    assert waiting.events == 100
    assert read < 300


def rows_read(connection: Any) -> int:
    """How many rows this session has looked at, in indexes and tables."""
    found = connection.exec_driver_sql("SHOW SESSION STATUS LIKE 'Handler_read%%'").all()
    return sum(int(value) for _, value in found)
