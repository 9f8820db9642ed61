"""What the tests of all brokers share: records, members of groups, and who takes them."""

import threading
import uuid
from collections.abc import Sequence

import pytest

from orders_service.events.brokers.port import (
    BrokerError,
    Delivery,
    Outgoing,
    Producer,
    Reader,
    Record,
    Subscription,
)
from rig import waiting
from rig.waiting import await_true

SECONDS = 30.0  # Within these everything must have happened.
KOREAN = "주문이 접수되었습니다".encode()

KAFKA = pytest.param("kafka", marks=pytest.mark.real)
on_kafka = pytest.mark.parametrize("broker", [KAFKA], indirect=True)
kafka_goes_away = pytest.mark.usefixtures("unclosed_sockets")
on_embedded = pytest.mark.parametrize("broker", ["embedded"], indirect=True)
# A test of the order in which partitions are served, which a Kafka client does not promise.
not_on_kafka = pytest.mark.parametrize("broker", ["embedded", "simulated"], indirect=True)
# A test that measures real seconds: the clock of the simulated broker is virtual.
on_a_real_clock = pytest.mark.parametrize("broker", ["embedded", KAFKA], indirect=True)
# A test of what the embedded log does not have, and the simulated broker has as Kafka does.
as_kafka_does = pytest.mark.parametrize("broker", ["simulated", KAFKA], indirect=True)


def unique(name: str) -> str:
    return f"{name}-{uuid.uuid4().hex}"


def numbered(topic: str, count: int, *, first: int = 0) -> list[Outgoing]:
    """Records with values 0, 1, 2, … and keys that spread over the partitions."""
    return [Outgoing(topic, str(n % 10).encode(), str(n).encode()) for n in range(first, first + count)]


def numbers(records: Sequence[Record]) -> list[int]:
    return sorted(int(record.value or b"-1") for record in records)


def send(producer: Producer, records: Sequence[Outgoing]) -> list[Delivery]:
    """Send, and wait for every outcome."""
    deliveries = producer.send(records)
    assert producer.wait(deliveries, seconds=waiting.seconds(SECONDS))
    return deliveries


def deliver(producer: Producer, records: Sequence[Outgoing]) -> None:
    """Send, and see that all have arrived."""
    assert [delivery.error for delivery in send(producer, records)] == [None] * len(records)


def send_as_a_relay_does(producer: Producer, records: Sequence[Outgoing]) -> list[Delivery]:
    """Send until each record is acknowledged or refused for good; the last outcome of each."""
    outcomes: dict[int, Delivery] = {}
    deadline = waiting.Deadline(SECONDS)
    while rest := [n for n in range(len(records)) if n not in outcomes]:
        assert not deadline.over, f"{len(rest)} records are still open"
        for n, delivery in zip(rest, send(producer, [records[n] for n in rest]), strict=True):
            if delivery.acknowledged or delivery.permanent:
                outcomes[n] = delivery
    return [outcomes[n] for n in range(len(records))]


def take(source: Subscription | Reader, count: int) -> list[Record]:
    """The next *count* records, and no more."""
    records: list[Record] = []
    deadline = waiting.Deadline(SECONDS)
    while len(records) < count:
        assert not deadline.over, f"only {len(records)} of {count} records have come"
        records += source.poll(seconds=0.2)
    assert len(records) == count
    return records


class Member(threading.Thread):
    """A member of a group that polls all the time, as a worker does, and lives with the broker's errors."""

    def __init__(self, subscription: Subscription) -> None:
        super().__init__(daemon=True)
        self.seen: set[int] = set()
        self._subscription = subscription
        self._stopped = threading.Event()

    def __enter__(self) -> "Member":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self.join()
        self._subscription.close()

    def run(self) -> None:
        while not self._stopped.is_set():
            try:
                records = self._subscription.poll(seconds=1)
            except BrokerError:
                self._stopped.wait(0.1)
                continue
            self._subscription.acknowledge(records)
            self.seen |= set(numbers(records))


def share(one: Member, other: Member, producer: Producer, topic: str) -> int:
    """Send until each of two members gets something, and both together everything; how much that was."""
    sent = 0

    def both_have_a_part() -> bool:
        nonlocal sent
        if not (one.seen and other.seen):
            deliver(producer, numbered(topic, 30, first=sent))
            sent += 30
        return bool(one.seen and other.seen) and one.seen | other.seen == set(range(sent))

    await_true(both_have_a_part, "two members share the topic")
    return sent


def by_place(records: Sequence[Record]) -> dict[int, list[int]]:
    """The offsets of each partition, in the order in which they came."""
    found: dict[int, list[int]] = {}
    for record in records:
        found.setdefault(record.partition, []).append(record.offset)
    return found


def assert_nothing_more(source: Subscription | Reader) -> None:
    assert source.poll(seconds=0.5) == []
