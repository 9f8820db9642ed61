"""The four verbs on a database of their own: for one, for a group, again, and too late."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from orders_service.contract.topics import Topics
from orders_service.events.outbox import Outbox
from orders_service.events.tables import OutboxRow
from orders_service.orders import service
from orders_service.orders.errors import KeyReused, OrderNotFound, OrderRejected
from orders_service.orders.order import Order, Status
from orders_service.orders.service import Placed, Placement
from rig.databases import Databases
from tests.flow_kit import BERLIN, TOKYO

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
OUTBOX = Outbox("/order-service", Topics())

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@pytest.fixture
def session(databases: Databases) -> Iterator[Session]:
    """A session on the orders database."""
    with Session(databases.orders, expire_on_commit=False) as opened:
        yield opened


def wanted(key: str | None = None, *, user: str = "kim", product: str = BERLIN, qty: int = 1) -> Placement:
    """What *user* asks for, perhaps with a key."""
    order_id = service.new_order_id(user, key)
    return Placement(
        order_id=order_id, user_id=user, product_id=product, qty=qty, unit_price=1500, keyed=key is not None
    )


def place(
    session: Session, *placements: Placement, at: datetime = NOON, look_up_all: bool = False
) -> list[Placed | KeyReused]:
    """Place them as one group, and commit."""
    answers = service.place(
        session.connection(), placements, outbox=OUTBOX, clock=lambda: at, look_up_all=look_up_all
    )
    session.commit()
    return answers


def place_one(session: Session, status: Status = Status.PENDING, *, at: datetime = NOON) -> str:
    """The id of an order that is *status* by now."""
    placement = wanted()
    place(session, placement, at=at)
    if status != Status.PENDING:
        service.move(session, [placement.order_id], status, allowed=tuple(Status), now=at)
        session.commit()
    return placement.order_id


def cancel(session: Session, order_id: str, user: str = "kim") -> Order:
    order = service.cancel(session, user_id=user, order_id=order_id, outbox=OUTBOX, clock=lambda: NOON)
    session.commit()
    return order


def orders(session: Session) -> list[str]:
    return list(session.scalars(select(Order.order_id).order_by(Order.id)))


def events(session: Session) -> list[tuple[str, str]]:
    return [(row.type, row.aggregateid) for row in session.scalars(select(OutboxRow).order_by(OutboxRow.seq))]


def status(session: Session, order_id: str) -> str:
    return session.scalars(select(Order.status).where(Order.order_id == order_id)).one()


def outcomes(answers: list[Placed | KeyReused]) -> list[str]:
    """Each answer in a word."""
    return [
        "reused" if isinstance(answer, KeyReused) else "replayed" if answer.replayed else "placed"
        for answer in answers
    ]


def test_a_group_is_placed_in_its_order(session: Session) -> None:
    group = [wanted(), wanted("k"), wanted(user="lee"), wanted("k", user="lee")]

    answers = place(session, *group)

    ids = [placement.order_id for placement in group]
    assert outcomes(answers) == ["placed"] * 4
    assert orders(session) == ids
    assert events(session) == [("order.placed.v1", order_id) for order_id in ids]


def test_twins_in_a_group_are_one_order(session: Session) -> None:
    answers = place(session, wanted("k"), wanted("other"), wanted("k"), wanted("k"))

    assert outcomes(answers) == ["placed", "placed", "replayed", "replayed"]
    assert len({answer.order.order_id for answer in answers if isinstance(answer, Placed)}) == 2
    assert len(orders(session)) == len(events(session)) == 2


def test_of_twins_with_other_content_the_first_wins(session: Session) -> None:
    answers = place(
        session, wanted("k", qty=1), wanted("k", qty=2), wanted("k", product=TOKYO), wanted("k", qty=1)
    )

    assert outcomes(answers) == ["placed", "reused", "reused", "replayed"]
    assert [order.qty for order in session.scalars(select(Order))] == [1]
    assert len(events(session)) == 1


def test_a_reused_key_does_not_disturb_its_group(session: Session) -> None:
    place(session, wanted("k"))

    answers = place(session, wanted(), wanted("k", qty=2), wanted("k"), wanted("new"))

    assert outcomes(answers) == ["placed", "reused", "replayed", "placed"]
    assert len(orders(session)) == len(events(session)) == 3


def test_a_group_of_replays_writes_nothing(session: Session) -> None:
    place(session, wanted("a"), wanted("b"))

    answers = place(session, wanted("b"), wanted("a"))

    assert outcomes(answers) == ["replayed", "replayed"]
    assert len(orders(session)) == len(events(session)) == 2


def test_an_empty_group_is_answered_with_nothing(session: Session) -> None:
    assert place(session) == []


def test_a_group_is_placed_whole_or_not_at_all(session: Session) -> None:
    taken, fresh = wanted(), wanted()
    place(session, taken)

    with pytest.raises(IntegrityError):
        place(session, fresh, taken)
    session.rollback()

    assert orders(session) == [taken.order_id]
    assert events(session) == [("order.placed.v1", taken.order_id)]


def test_when_the_outcome_is_unknown_all_are_looked_up(session: Session) -> None:
    group = [wanted(), wanted("k")]
    place(session, *group)

    answers = place(session, *group, wanted(), look_up_all=True)

    assert outcomes(answers) == ["placed", "replayed", "placed"]
    assert len(orders(session)) == len(events(session)) == 3


def test_who_has_the_id_of_anothers_order_does_not_get_it(session: Session) -> None:
    place(session, wanted("k"))
    stolen = Placement(
        order_id=wanted("k").order_id, user_id="lee", product_id=BERLIN, qty=1, unit_price=1500, keyed=True
    )

    answers = place(session, stolen)

    assert outcomes(answers) == ["reused"]


def test_an_event_is_recorded_with_the_trace_of_its_own_request(session: Session) -> None:
    first, second = (replace(wanted(), traceparent=f"trace-{number}") for number in range(2))

    place(session, first, second)

    assert session.scalars(select(OutboxRow.traceparent).order_by(OutboxRow.seq)).all() == [
        "trace-0",
        "trace-1",
    ]


def test_with_change_data_capture_no_row_is_pending(session: Session) -> None:
    outbox = Outbox("/order-service", Topics(sink="orders"), sent_by_relay=False)

    service.place(session.connection(), [wanted()], outbox=outbox, clock=lambda: NOON)

    assert [(row.topic, row.lane) for row in session.scalars(select(OutboxRow))] == [
        ("example-catalog-topic", None),
        ("orders", None),
    ]


@pytest.mark.parametrize("before", Status)
@pytest.mark.parametrize("verb", ["confirm", "reject"])
def test_only_a_pending_order_is_confirmed_or_rejected(session: Session, before: Status, verb: str) -> None:
    order_id = place_one(session, before)
    reason = None if verb == "confirm" else "discarded"

    moved = (
        service.confirm(session, [order_id], now=NOON)
        if reason is None
        else service.reject(session, [order_id], reason, now=NOON)
    )

    after = {"confirm": "CONFIRMED", "reject": "REJECTED"}[verb]
    assert (moved, status(session, order_id)) == ((1, after) if before == Status.PENDING else (0, before))


def test_a_move_counts_and_changes_those_it_may(session: Session) -> None:
    ids = {status_: place_one(session, status_) for status_ in Status}

    moved = service.confirm(session, [*ids.values(), "unknown", ids[Status.PENDING]], now=NOON)

    assert moved == 1
    assert [status(session, ids[before]) for before in Status] == [
        "CONFIRMED",
        "CONFIRMED",
        "REJECTED",
        "CANCELLED",
    ]


def test_a_move_of_none_changes_none(session: Session) -> None:
    order_id = place_one(session)

    assert service.confirm(session, [], now=NOON) == 0
    assert status(session, order_id) == "PENDING"


def test_a_move_dates_and_counts_the_order(session: Session) -> None:
    order_id = place_one(session)
    later = NOON + timedelta(microseconds=1)

    service.reject(session, [order_id], "discarded", now=later)

    order = session.scalars(select(Order)).one()
    assert (order.version, order.updated_at, order.created_at) == (2, later, NOON)
    assert order.reason == "discarded"


def test_a_thousand_orders_are_moved_at_once(session: Session) -> None:
    group = [wanted() for _ in range(1000)]
    place(session, *group)

    assert service.confirm(session, [placement.order_id for placement in group], now=NOON) == 1000


@pytest.mark.parametrize("before", [Status.PENDING, Status.CONFIRMED])
def test_cancelling_twice_is_cancelling_once(session: Session, before: Status) -> None:
    order_id = place_one(session, before)

    first, second = cancel(session, order_id), cancel(session, order_id)

    assert (first.status, second.status, second.version) == ("CANCELLED", "CANCELLED", first.version)
    assert events(session) == [("order.placed.v1", order_id), ("order.cancelled.v1", order_id)]


def test_what_became_of_an_order_meanwhile_decides_its_cancellation(databases: Databases) -> None:
    with Session(databases.orders) as mine:
        order_id = place_one(mine)
        mine.scalars(select(Order)).one()
        mine.commit()
        with Session(databases.orders) as theirs:
            service.reject(theirs, [order_id], "discarded", now=NOON)
            theirs.commit()

        with pytest.raises(OrderRejected) as refusal:
            cancel(mine, order_id)

    assert refusal.value.order_id == order_id


def test_another_customer_has_no_such_order(session: Session) -> None:
    order_id = place_one(session)

    with pytest.raises(OrderNotFound):
        cancel(session, order_id, user="lee")
    with pytest.raises(OrderNotFound):
        service.get(session, "Kim", order_id)


def test_what_is_still_pending_is_sent_again(session: Session) -> None:
    ids = {status_: place_one(session, status_) for status_ in Status}

    count = service.resend(session, placed_before=NOON, outbox=OUTBOX)

    assert count == 1
    assert events(session)[4:] == [("order.placed.v1", ids[Status.PENDING])]


def test_an_event_that_is_sent_again_is_the_same_event(session: Session) -> None:
    place_one(session)

    service.resend(session, placed_before=NOON, outbox=OUTBOX)

    first, again = session.scalars(select(OutboxRow).order_by(OutboxRow.seq))
    assert (first.id, first.key, first.payload, first.topic) == (
        again.id,
        again.key,
        again.payload,
        again.topic,
    )
    assert again.lane == "example-catalog-topic"
    assert again.published_at is None


def test_what_was_placed_later_is_not_sent_again(session: Session) -> None:
    placed = [place_one(session, at=NOON + timedelta(microseconds=late)) for late in (-1, 0, 1)]

    count = service.resend(session, placed_before=NOON, outbox=OUTBOX)

    assert count == 2
    assert [order_id for _, order_id in events(session)[3:]] == placed[:2]


def test_more_than_a_chunk_is_sent_again_whole_and_in_order(session: Session) -> None:
    group = [wanted() for _ in range(service.RESEND_CHUNK * 2 + 1)]
    place(session, *group)

    count = service.resend(session, placed_before=NOON, outbox=OUTBOX)

    assert count == len(group)
    assert [order_id for _, order_id in events(session)[count:]] == orders(session)


def test_a_sink_does_not_hear_again_of_what_is_sent_again(session: Session) -> None:
    outbox = Outbox("/order-service", Topics(sink="orders"))
    service.place(session.connection(), [wanted()], outbox=outbox, clock=lambda: NOON)
    session.commit()

    service.resend(session, placed_before=NOON, outbox=outbox)

    assert [type_ for type_, _ in events(session)] == ["order.placed.v1", "orders.sink.v1", "order.placed.v1"]


@given(st.tuples(texts, texts), st.tuples(texts, texts))
def test_no_two_pairs_of_user_and_key_share_an_id(one: tuple[str, str], other: tuple[str, str]) -> None:
    assume(one != other)

    assert service.new_order_id(*one) != service.new_order_id(*other)


@given(texts, texts.filter(len))
def test_a_character_that_moves_from_key_to_user_makes_another_id(user: str, key: str) -> None:
    assert service.new_order_id(user, key) != service.new_order_id(user + key[0], key[1:])


@given(texts)
def test_without_a_key_no_two_ids_are_the_same(user: str) -> None:
    assert service.new_order_id(user, None) != service.new_order_id(user, None)
