"""Finds an order's records in the log, on demand: where they are is stored nowhere."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from orders_service.contract import wire
from orders_service.events.brokers.port import Broker, BrokerError, PartitionReader, Record
from orders_service.operations.journey.stored import CANCELLED, PLACED

SECONDS = 3.0  # For the whole search.
RECORDS = 10_000  # The most records that are read from one time on.
FOUND = 50  # The most records of an order that are kept.
SLACK = timedelta(seconds=5)  # The clocks of the database and of the broker may differ by so much.
LATE = f"The log did not answer in {SECONDS:.0f} s."
DOWN = "The broker does not answer."
TAKEN = "The log is being searched for others."


@dataclass(frozen=True)
class Sought:
    """The records to find in one topic: those of the events *ids*, which map to types, or of the order."""

    topic: str
    key: str
    ids: Mapping[str, str]
    order_id: str
    since: Sequence[datetime]  # The search begins at each of these times, oldest first.


@dataclass
class InLog:
    """The records that were found, each with the type of its event."""

    records: list[tuple[str, Record]] = field(default_factory=list)
    partition: int | None = None
    problem: str | None = LATE  # Why there may be more. None at the end of the search.
    begins_late: bool = False  # The log has deleted records from the time where the search began.
    is_whole: bool = True  # False if the log has more records than were read.

    def of(self, type_: str) -> list[Record]:
        """The records of one type of event."""
        return [record for found, record in self.records if found == type_]

    def copy(self) -> "InLog":
        """Its present state, into which a search that was left does not write."""
        problem = self.problem  # First: with None, all records are there.
        return replace(self, problem=problem, records=list(self.records))


def search(open_broker: Callable[[], Broker], sought: Sequence[tuple[Sought, InLog]]) -> None:
    """Find all that is *sought*, and write it into the `InLog` beside it. Takes some `SECONDS` at most."""
    deadline = time.monotonic() + SECONDS
    try:
        broker = open_broker()
        for wanted, found in sought:
            _search(broker, wanted, found, deadline)
    except BrokerError:
        for _, found in sought:
            if found.problem is not None:
                found.problem = DOWN


def _search(broker: Broker, wanted: Sought, found: InLog, deadline: float) -> None:
    read_to = -1
    for number, since in enumerate(wanted.since):
        begin = int((since - SLACK).timestamp() * 1000)
        if begin <= read_to:
            continue
        with closing(broker.read_since(wanted.topic, wanted.key.encode(), since=begin)) as reader:
            found.partition = reader.partition
            if number == 0:
                found.begins_late = reader.begins_late
            last = _read(reader, wanted, found, deadline)
            if last is None:
                return
            found.is_whole = reader.is_at_end
            read_to = max(read_to, last)
            if reader.is_at_end:
                break
    found.problem = None


def _read(reader: PartitionReader, wanted: Sought, found: InLog, deadline: float) -> int | None:
    """Read to the end or `RECORDS` records; the time of the last one. None if the time is over."""
    read, last = 0, -1
    while not reader.is_at_end and read < RECORDS:
        if (left := deadline - time.monotonic()) <= 0:
            return None
        time.sleep(0)  # With greenlets, other requests are served between two batches.
        for record in reader.poll(seconds=min(left, 0.5)):
            read, last = read + 1, record.timestamp
            if (type_ := type_of(record, wanted)) and len(found.records) < FOUND:
                found.records.append((type_, record))
    return last


def type_of(record: Record, wanted: Sought) -> str | None:
    """The type of the order's event that *record* has; None if it belongs to another order.

    A record without an event id, as the course's services send it, names its order only in its value.
    """
    event_id = wire.header(record.headers, "ce_id")
    if event_id is not None:
        return wanted.ids.get(event_id)
    if not record.value or wanted.order_id.encode() not in record.value:
        return None
    try:
        data = json.loads(record.value)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or data.get("orderId") != wanted.order_id:
        return None
    types = [*wanted.ids.values()]
    if PLACED in types:
        qty = data.get("qty")
        return CANCELLED if isinstance(qty, int) and qty < 0 else PLACED
    return types[-1] if "reason" in data else types[0]
