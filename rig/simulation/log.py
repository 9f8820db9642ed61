"""The logs of the simulated broker: the records of each partition, and its open transactions."""

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field

from orders_service.events.brokers.port import Outgoing, Record

Place = tuple[str, int]  # A topic and a partition.


@dataclass(eq=False)
class Log:
    """A partition: the records that are not deleted, between the offsets *begins* and *end*."""

    place: Place
    topic_id: int  # A topic that is deleted and created again has another one.
    records: list[Record] = field(default_factory=list)
    begins: int = 0
    end: int = 0
    open: "list[Transaction]" = field(default_factory=list)

    @property
    def stable(self) -> int:
        """The last stable offset: where the first open transaction begins, else the end."""
        return min((transaction.offset for transaction in self.open), default=self.end)

    def append(self, sent: Outgoing, timestamp: int) -> Record:
        record = Record(*self.place, self.end, timestamp, sent.key, sent.value, sent.headers)
        self.records.append(record)
        self.end += 1
        return record

    def index(self, offset: int) -> int:
        """The index of the first record at *offset* or behind it."""
        return bisect_left(self.records, offset, key=lambda record: record.offset)

    def read(self, position: int, limit: int) -> tuple[list[Record], int]:
        """At most *limit* records from *position* on, and the position behind them."""
        if position > self.end:
            position = self.begins  # It belongs to a log that was deleted.
        first, stable = self.index(position), self.stable
        found = [record for record in self.records[first : first + limit] if record.offset < stable]
        return found, found[-1].offset + 1 if len(found) == limit else max(position, stable)


@dataclass(eq=False)
class Transaction:
    """A producer's open transaction in one partition. Nobody can read its records, nor those behind them."""

    log: Log
    publish: Callable[[Record], None]
    offset: int
    producer_id: int
    last_written: float
    ended: Callable[[], None]  # Called when it ends: what is behind it can be read now.
    records: list[Record] = field(default_factory=list)

    def commit(self) -> None:
        if self._end():
            for record in self.records:
                self.publish(record)

    def abort(self) -> None:
        if self._end():
            self.log.records = [record for record in self.log.records if record not in self.records]

    def _end(self) -> bool:
        """Write the marker, which takes one offset. False if the transaction is over or its topic deleted."""
        if self not in self.log.open:
            return False
        self.log.open.remove(self)
        self.log.end += 1
        self.ended()
        return True
