"""A batch becomes one transaction; a bad record stops nobody, a bad database loses nothing."""

from collections.abc import Iterator, Sequence

import pytest
from sqlalchemy import select
from sqlalchemy.exc import DataError, OperationalError
from sqlalchemy.orm import Session

from lab import Lab
from orders_service.contract.errors import Unreadable
from orders_service.contract.events import OrderPlaced
from orders_service.database.columns import utc_now
from orders_service.events import dead_letters
from orders_service.events.consumer import Received, event_of
from orders_service.events.dead_letters import Refused
from orders_service.events.errors import Conflicting
from orders_service.events.tables import Lease
from tests.events.kit import GROUP, MIB, TOPIC, Reception, order, write_a_row


def test_a_batch_is_applied_and_acknowledged(reception: Reception) -> None:
    reception.send(order("a"), order("b"))

    assert reception.consume(write_a_row).step()

    assert reception.applied() == ["a", "b"]
    assert not reception.consume(write_a_row).step()


@pytest.mark.parametrize(
    "value",
    [b"", b"not json", b"[]", b"null", b"\xff\xfe", b"{}", b'{"qty":1}', b'{"qty":true}', b"[" * 100_000],
    ids=lambda value: repr(value[:12]),
)
def test_an_unreadable_record_rests_whole_and_stops_nobody(reception: Reception, value: bytes) -> None:
    reception.send(order("a"))
    reception.send(value, headers=(("h", b"\xff\x00"),))
    reception.send(order("b"))

    reception.consume(write_a_row).step()

    (letter,) = reception.dead()
    assert (letter.topic, letter.partition, letter.offset, letter.reason) == (TOPIC, 0, 1, "unreadable")
    assert (letter.key, letter.value, letter.headers) == (b"k", value, '[["h", "/wA="]]')
    assert reception.applied() == ["a", "b"]


@pytest.mark.parametrize(
    ("value", "header"),
    [
        (b" " * 20 * MIB, b""),
        (b"\0" * 9 * MIB, b""),
        (order("x") + b" " * 20 * MIB, b""),
        (b"{}", b"x" * 20 * MIB),
    ],
    ids=["blanks", "zeros", "blanks behind", "a header"],
)
def test_a_record_larger_than_the_database_takes_is_kept_in_part_and_stops_nobody(
    reception: Reception, value: bytes, header: bytes
) -> None:
    headers = (("ce_type", b"order.placed.v2"), ("h", header))
    reception.send(value, headers=headers)
    reception.send(order("a"))

    reception.consume(write_a_row).step()

    (letter,) = reception.dead()
    assert len(letter.value or b"") <= MIB
    assert (
        f"the record has {1 + len(value) + sum(len(n) + len(v) for n, v in headers)} bytes" in letter.detail
    )
    assert reception.applied() == ["a"]
    with pytest.raises(Unreadable):  # What is left of it is never taken for the whole.
        event_of(dead_letters.record_of(letter))


@pytest.fixture
def small_packets(lab: Lab) -> Iterator[None]:
    """A MariaDB that takes statements of 1 MiB at most."""
    with lab.mariadb.connect() as connection, connection.cursor() as cursor:
        cursor.execute(f"SET GLOBAL max_allowed_packet = {MIB}")
        yield
        cursor.execute(f"SET GLOBAL max_allowed_packet = {16 * MIB}")


@pytest.mark.real
@pytest.mark.parametrize("databases", ["mariadb"], indirect=True)
@pytest.mark.parametrize("filling", [b"\0", b"'", b"\\", b"x"], ids=repr)
def test_of_a_record_is_kept_what_the_server_takes(
    small_packets: None, reception: Reception, filling: bytes
) -> None:
    reception.send(filling * 600_000, order("a"))
    reception.send(b"{}", headers=(("제목" * 50_000, filling * 400_000),))
    reception.send(b"{}", headers=(("h", filling * 200_000),))

    reception.consume(write_a_row).step()

    large, headers, whole = reception.dead()
    assert 100_000 < len(large.value or b"") < 600_000
    assert "truncated" in large.detail
    assert (headers.value, headers.headers) == (b"{", "[]")
    assert len(dead_letters.record_of(whole).headers[0][1] or b"") == 200_000
    assert reception.applied() == ["a"]


def test_an_unknown_type_is_skipped_and_an_unknown_version_is_not(reception: Reception) -> None:
    reception.send(order("a"), headers=(("ce_type", b"invoice.sent.v1"),))
    reception.send(order("b"), headers=(("ce_type", b"order.placed.v2"),))

    reception.consume(write_a_row).step()

    assert reception.applied() == []
    assert [letter.offset for letter in reception.dead()] == [1]


def test_an_exception_of_the_handler_costs_its_record_only(reception: Reception) -> None:
    tries: list[str] = []

    def stumbles_over_b(session: Session, received: Sequence[Received]) -> Sequence[Refused]:
        tries.extend(r.event.order_id for r in received)
        if any(r.event.order_id == "b" for r in received):
            raise KeyError("b")
        return write_a_row(session, received)

    reception.send(order("a"), order("b"), order("c"))

    reception.consume(stumbles_over_b).step()

    assert reception.applied() == ["a", "c"]
    assert [(letter.offset, letter.reason) for letter in reception.dead()] == [(1, "handler-failed")]
    assert tries.count("b") == 4


def test_a_value_that_the_database_cannot_hold_costs_its_record_only(reception: Reception) -> None:
    def too_long_for_b(session: Session, received: Sequence[Received]) -> Sequence[Refused]:
        if any(r.event.order_id == "b" for r in received):
            raise DataError("INSERT", {}, Exception(1406, "Data too long"))
        return write_a_row(session, received)

    reception.send(order("a"), order("b"))

    reception.consume(too_long_for_b).step()

    assert reception.applied() == ["a"]
    assert [letter.reason for letter in reception.dead()] == ["data-refused"]


def test_what_the_handler_refuses_rests_with_its_reason(reception: Reception) -> None:
    def refuses(_: Session, received: Sequence[Received]) -> Sequence[Refused]:
        return [(r.record, Conflicting("placed before, otherwise")) for r in received]

    reception.send(order("a"))

    reception.consume(refuses).step()

    (letter,) = reception.dead()
    assert (letter.reason, letter.detail) == ("conflicting", "placed before, otherwise")


def test_an_error_of_the_database_loses_nothing_and_buries_nothing(reception: Reception) -> None:
    away = True

    def while_the_server_is_read_only(session: Session, received: Sequence[Received]) -> Sequence[Refused]:
        if away:
            raise OperationalError("INSERT", {}, Exception(1290, "--read-only"))
        return write_a_row(session, received)

    reception.send(order("a"), order("b"))
    consumer = reception.consume(while_the_server_is_read_only)
    for _ in range(5):
        with pytest.raises(OperationalError):
            consumer.step()
    away = False

    consumer.step()

    assert reception.applied() == ["a", "b"]
    assert reception.dead() == []


def test_a_crash_before_the_commit_brings_the_records_again(reception: Reception) -> None:
    reception.send(order("a"))

    def crash(session: Session, received: Sequence[Received]) -> Sequence[Refused]:
        raise OSError("as good as a crash: nothing is committed")

    with pytest.raises(OSError, match="crash"):
        reception.consume(crash).step()

    assert reception.consume(write_a_row).step()
    assert reception.applied() == ["a"]


def test_a_crash_after_the_commit_brings_the_records_again(reception: Reception) -> None:
    def on_events(session: Session, received: Sequence[Received]) -> Sequence[Refused]:
        known = set(session.scalars(select(Lease.lane)))
        return (
            write_a_row(session, [r for r in received if r.event.order_id not in known]) if not known else []
        )

    reception.send(order("a"), b"poison")
    consumer = reception.consume(on_events)
    consumer._apply(consumer._subscription.poll(seconds=0))

    reception.consume(on_events).step()

    assert reception.applied() == ["a"]
    assert len(reception.dead()) == 1


def test_a_dead_letter_is_kept_once_however_often_it_comes(reception: Reception) -> None:
    reception.send(b"poison")
    reader = reception.broker.read([TOPIC], from_start=True)
    (record,) = reader.poll(seconds=0)
    reader.close()

    for _ in range(2):
        with reception.sessions.begin() as session:
            dead_letters.keep(session, [(record, Conflicting("x"))], group=GROUP, clock=utc_now)

    assert len(reception.dead()) == 1


def test_an_event_carries_what_its_record_said(reception: Reception) -> None:
    seen: list[Received] = []

    def remember(_: Session, received: Sequence[Received]) -> Sequence[Refused]:
        seen.extend(received)
        return []

    reception.send(order("a"), headers=(("ce_type", b"order.placed.v1"), ("traceparent", b"nonsense")))

    reception.consume(remember).step()

    assert [r.event for r in seen] == [OrderPlaced(order_id="a", product_id="CATALOG-001", qty=1)]
    assert seen[0].event.traceparent is None
