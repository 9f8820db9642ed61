"""Dead letters in a row, in the log of a producer that sends in transactions: their ends take offsets."""

from collections.abc import Iterator

import pytest
from sqlalchemy.orm import Session

from orders_service.contract.errors import Unreadable
from orders_service.database.columns import utc_now
from orders_service.events import dead_letters
from orders_service.events.breaker import IN_A_ROW, WITHIN, Breaker
from orders_service.events.brokers.port import Record
from orders_service.events.errors import TooManyDeadLetters
from rig.databases import Databases

GROUP = "group"


@pytest.fixture
def session(databases: Databases) -> Iterator[Session]:
    with Session(databases.catalog) as found:
        yield found


def records(*offsets: int) -> list[Record]:
    return [Record("topic", 0, offset, 0, None, b"", ()) for offset in offsets]


def read(
    breaker: Breaker, session: Session, batch: list[Record], *, dead: bool = True, generation: int = 1
) -> None:
    """As a consumer does with a batch that is dead, or good, as a whole."""
    breaker.check_before(session, batch, generation)
    if dead:
        dead_letters.keep(session, [(one, Unreadable("x")) for one in batch], group=GROUP, clock=utc_now)
        session.commit()
    breaker.count_after(batch, suspect=batch if dead else [], neutral=[])


@pytest.mark.parametrize("step", [2, 700, 5000], ids=["markers", "aborted records", "many of them"])
def test_offsets_that_no_consumer_is_given_end_no_run(session: Session, step: int) -> None:
    breaker = Breaker(GROUP)
    for n in range(IN_A_ROW - 1):
        read(breaker, session, records(step * n))

    with pytest.raises(TooManyDeadLetters):
        read(breaker, session, records(step * (IN_A_ROW - 1)))


def test_a_good_record_between_two_transactions_ends_a_run(session: Session) -> None:
    breaker = Breaker(GROUP)
    for n in range(IN_A_ROW):
        read(breaker, session, records(4 * n))
        read(breaker, session, records(4 * n + 2), dead=False)


def test_what_another_member_read_meanwhile_is_looked_up(session: Session) -> None:
    here, there = Breaker(GROUP), Breaker(GROUP)
    read(here, session, records(*range(IN_A_ROW - 1)))
    read(there, session, records(*range(IN_A_ROW - 1, IN_A_ROW + 2)), dead=False)

    read(here, session, records(IN_A_ROW + 2), generation=2)


@pytest.mark.parametrize("behind", [1, 500, WITHIN - IN_A_ROW])
def test_a_run_stops_a_new_member_wherever_a_batch_may_have_had_it(session: Session, behind: int) -> None:
    run = records(*range(100, 100 + IN_A_ROW))
    dead_letters.keep(session, [(one, Unreadable("x")) for one in run], group=GROUP, clock=utc_now)
    session.commit()

    with pytest.raises(TooManyDeadLetters):
        Breaker(GROUP).check_before(session, records(100 + IN_A_ROW + behind), 1)
