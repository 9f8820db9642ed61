"""The producer of the simulated broker, and its records in flight."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from orders_service.events.brokers.port import Delivery, Outgoing, RecordRefused, TopicMissing
from rig.simulation.log import Place

if TYPE_CHECKING:
    from rig.simulation.broker import SimulatedBroker

GIVE_UP_SECONDS = 30.0  # The limit of a producer for a delivery.


@dataclass(frozen=True)
class Fate:
    """What happens to a record that is sent. Unless it is stored, it is never acknowledged."""

    delay: float = 0.0  # In seconds, until the broker receives it.
    stored: bool = True
    acknowledged: bool = True
    refused: bool = False  # The broker would refuse it again.


@dataclass(eq=False)
class InFlight:
    """A record on its way to the broker. It arrives even if its producer is closed or killed."""

    record: Outgoing
    place: Place
    fate: Fate
    due: float
    give_up: float
    delivery: Delivery = field(default_factory=Delivery)


class SimulatedProducer:
    """An idempotent producer. Its records of one partition arrive in the order in which they were sent."""

    def __init__(self, broker: "SimulatedBroker") -> None:
        self._broker = broker
        self._unkeyed = 0
        self._due: dict[Place, float] = {}  # When the last record of each partition arrives.

    def send(self, records: Sequence[Outgoing]) -> list[Delivery]:
        self._broker.scheduler.pause()
        self._broker.settle()
        return [self._send(record) for record in records]

    def wait(self, deliveries: Sequence[Delivery], *, seconds: float) -> bool:
        self._broker.scheduler.pause()
        return self._broker.wait(lambda: not any(delivery.open for delivery in deliveries), seconds)

    def close(self) -> None:
        """Does nothing: records in flight still arrive."""

    def _send(self, record: Outgoing) -> Delivery:
        if (spec := self._broker.specs.get(record.topic)) is None:
            return Delivery(error=TopicMissing(record.topic))
        if problem := _refusal(record, spec.max_message_bytes):
            return Delivery(error=problem, permanent=True)
        place = record.topic, self._partition(record, spec.partitions)
        fate, now = self._broker.fate(record), self._broker.scheduler.now
        if fate.refused:
            return Delivery(error=RecordRefused("the broker refuses this record"), permanent=True)
        self._due[place] = max(now + fate.delay, self._due.get(place, 0.0))
        sent = InFlight(record, place, fate, self._due[place], now + GIVE_UP_SECONDS)
        self._broker.in_flight.append(sent)
        return sent.delivery

    def _partition(self, record: Outgoing, partitions: int) -> int:
        if record.key is not None:
            return zlib.crc32(record.key) % partitions
        self._unkeyed += 1
        return self._unkeyed % partitions


def _refusal(record: Outgoing, largest: int) -> RecordRefused | None:
    """Why the topic does not accept the record; None if it does."""
    if record.key is None and record.value is None:
        return RecordRefused("the record has neither key nor value")
    size = len(record.key or b"") + len(record.value or b"")
    size += sum(len(name.encode()) + len(value or b"") for name, value in record.headers)
    if size > largest:
        return RecordRefused(f"the record has {size} bytes; the topic allows {largest}")
    return None
