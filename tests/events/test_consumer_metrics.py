"""The metrics of a consumer: each record and each dead letter counts once, after its commit."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import pytest
from sqlalchemy import event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from orders_service.catalog.errors import ReleaseDue
from orders_service.contract.errors import RecordError
from orders_service.events.brokers.port import Record
from orders_service.events.consumer import Consumer, Received
from orders_service.events.dead_letters import Refused
from orders_service.events.errors import REASONS
from orders_service.events.observations import observe_after_commit
from tests.events.kit import GROUP, TOPIC, Reception, order, write_a_row
from tests.metrics.growth import Growth, series, value

RECORDS, LETTERS, LAG = "orders_consumer_records_total", "orders_dead_letters_total", "orders_consumer_lag"
REBALANCES, BATCHES = "orders_consumer_rebalances_total", "orders_consumer_batch_seconds_count"
UNKNOWN = (("ce_type", b"invoice.sent.v1"),)


def fail_once(reception: Reception, error: Exception) -> None:
    """Let the next COMMIT fail with *error*."""
    failed: list[bool] = []

    def fail(_: Any) -> None:
        if not failed:
            failed.append(True)
            raise error

    event.listen(reception.sessions.kw["bind"], "commit", fail)


def lags(group: str) -> list[float]:
    """The lags of all partitions that are shown."""
    found = series().items()
    return sorted(lag for (name, labels), lag in found if name == LAG and ("group", group) in labels)


def deadlock() -> OperationalError:
    return OperationalError("COMMIT", {}, Exception(1213, "Deadlock found when trying to get lock"))


def test_the_known_series_begin_at_0(reception: Reception) -> None:
    Consumer(
        reception.sessions,
        reception.broker.subscribe("new", [TOPIC]),
        write_a_row,
        group="new",
        topics=[TOPIC],
        database="new",
    ).close()

    outcomes = ("applied", "skipped", "dead-letter")
    assert [value(RECORDS, group="new", topic=TOPIC, outcome=o) for o in outcomes] == [0, 0, 0]
    assert [value(LETTERS, database="new", reason=reason) for reason in REASONS] == [0] * len(REASONS)
    assert value(REBALANCES, group="new") == value(BATCHES, group="new") == 0


def test_a_dead_letter_has_one_of_the_known_reasons() -> None:
    def below(error: type[RecordError]) -> set[type[RecordError]]:
        return {error}.union(*map(below, error.__subclasses__()))

    # An operator's discard is refused with `ReleaseDue`: it writes no dead letter.
    kinds = below(RecordError) - {RecordError, ReleaseDue}

    assert {kind.reason for kind in kinds} == set(REASONS)


def test_each_record_is_counted_with_its_outcome(reception: Reception) -> None:
    growth = Growth()
    reception.send(order("a"), order("b"), b"poison")
    reception.send(order("c"), headers=UNKNOWN)

    reception.consume(write_a_row).step()

    outcomes = {"applied": 2, "dead-letter": 1, "skipped": 1}
    assert growth.by(RECORDS, "outcome", group=GROUP, topic=TOPIC) == outcomes
    assert growth.by(LETTERS, "reason", database="catalog") == {"unreadable": 1}
    assert growth.of(BATCHES, group=GROUP) == 1


def test_a_record_that_spoils_its_batch_counts_as_one_dead_letter(reception: Reception) -> None:
    def stumbles_over_b(session: Session, received: Sequence[Received]) -> Sequence[Refused]:
        if any(r.event.order_id == "b" for r in received):
            raise KeyError("b")
        return write_a_row(session, received)

    growth = Growth()
    reception.send(order("a"), order("b"), order("c"), b"poison")

    reception.consume(stumbles_over_b).step()

    assert growth.by(RECORDS, "outcome", group=GROUP) == {"applied": 2, "dead-letter": 2}
    assert growth.by(LETTERS, "reason") == {"handler-failed": 1, "unreadable": 1}


def test_an_attempt_that_is_repeated_counts_once(reception: Reception) -> None:
    observed: list[str] = []

    def observes(session: Session, received: Sequence[Received]) -> Sequence[Refused]:
        for each in received:
            observe_after_commit(session, partial(observed.append, each.event.order_id))
        return write_a_row(session, received)

    growth = Growth()
    reception.send(order("a"), b"poison")
    consumer = reception.consume(observes)
    fail_once(reception, deadlock())

    consumer.step()

    assert observed == ["a"]
    assert growth.by(RECORDS, "outcome", group=GROUP) == {"applied": 1, "dead-letter": 1}
    assert growth.by(LETTERS, "reason") == {"unreadable": 1}


def test_a_step_that_fails_counts_nothing(reception: Reception) -> None:
    growth = Growth()
    reception.send(order("a"), b"poison")
    consumer = reception.consume(write_a_row)
    fail_once(reception, OSError("a full disk"))

    with pytest.raises(OSError, match="full disk"):
        consumer.step()

    assert growth.by(RECORDS, "outcome") == growth.by(LETTERS, "reason") == {}
    assert value(LAG, group=GROUP, topic=TOPIC, partition="0") == 2


def test_a_dead_letter_that_comes_again_is_counted_once(reception: Reception) -> None:
    growth = Growth()
    reception.send(b"poison")
    consumer = reception.consume(write_a_row)
    consumer._apply(consumer._subscription.poll(seconds=0))  # A crash follows: nothing is acknowledged.

    reception.consume(write_a_row).step()

    assert growth.by(LETTERS, "reason") == {"unreadable": 1}


def test_the_lag_is_shown_until_the_consumer_leaves(reception: Reception) -> None:
    reception.send(*(order(str(n)) for n in range(700)))
    consumer = reception.consume(write_a_row)
    lags = []

    while consumer.step():
        lags.append(value(LAG, group=GROUP, topic=TOPIC, partition="0"))
    idle = value(LAG, group=GROUP, topic=TOPIC, partition="0")
    consumer.close()
    reception.consumer = None

    assert (lags, idle) == ([200, 0], 0)
    assert value(LAG, group=GROUP, topic=TOPIC, partition="0") is None


class Rebalanced:
    """A subscription whose generation and partitions change before each poll, as a script says."""

    def __init__(self, *script: tuple[object, Mapping[tuple[str, int], int]]) -> None:
        self._script = list(script)
        self.generation: object = None
        self._lag: Mapping[tuple[str, int], int] = {}

    def poll(self, *, seconds: float) -> list[Record]:
        self.generation, self._lag = self._script.pop(0)
        return []

    def acknowledge(self, records: Sequence[Record]) -> None: ...

    def rewind(self, records: Sequence[Record]) -> None: ...

    def lag(self) -> Mapping[tuple[str, int], int]:
        return self._lag

    def close(self) -> None: ...


def test_a_change_of_the_generation_is_a_rebalance_and_the_first_join_is_none(reception: Reception) -> None:
    growth, both, one = Growth(), {(TOPIC, 0): 3, (TOPIC, 1): 4}, {(TOPIC, 1): 5}
    subscription = Rebalanced((None, {}), (1, both), (1, both), (2, one), (None, {}), (3, one))
    consumer = Consumer(
        reception.sessions, subscription, write_a_row, group="moves", topics=[TOPIC], database="catalog"
    )
    shown = []

    for _ in range(6):
        consumer.step()
        shown.append(lags("moves"))
    consumer.close()

    assert growth.of(REBALANCES, group="moves") == 2
    assert shown == [[], [3, 4], [3, 4], [5], [], [5]]
