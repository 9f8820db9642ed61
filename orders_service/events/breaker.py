"""Dead letters in a row stop the consumer: that many are hardly the records' fault."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from orders_service.events.broker import Record
from orders_service.events.errors import TooManyDeadLetters
from orders_service.events.tables import DeadLetter

IN_A_ROW = 20


class Breaker:
    """Counts each partition's dead letters in a row. They are in a table, so the count survives a restart."""

    def __init__(self, group: str) -> None:
        self._group = group
        self._runs: dict[tuple[str, int], tuple[int, int]] = {}  # The next offset, and the run before it.

    def before(self, session: Session, records: Sequence[Record]) -> None:
        """Raise `TooManyDeadLetters` where a run stands that nobody has replayed or discarded."""
        firsts = {(record.topic, record.partition): record for record in reversed(records)}
        for place, first in firsts.items():
            if self._runs.get(place, (-1, 0))[0] != first.offset:
                self._runs[place] = first.offset, self._run_in_table(session, first)
        session.rollback()
        self._check()

    def after(self, records: Sequence[Record], dead: Collection[Record]) -> None:
        """Count on; raise `TooManyDeadLetters` when a run has become too long."""
        gone = {(record.topic, record.partition, record.offset) for record in dead}
        for record in records:
            place = record.topic, record.partition
            run = self._runs[place][1] + 1 if (*place, record.offset) in gone else 0
            self._runs[place] = record.offset + 1, run
        self._check()

    def _check(self) -> None:
        for (topic, partition), (_, run) in self._runs.items():
            if run >= IN_A_ROW:
                raise TooManyDeadLetters(topic, partition, run)

    def _run_in_table(self, session: Session, record: Record) -> int:
        offsets = session.scalars(
            select(DeadLetter.offset)
            .where(
                DeadLetter.topic == record.topic,
                DeadLetter.partition == record.partition,
                DeadLetter.offset < record.offset,
                DeadLetter.consumer_group == self._group,
                DeadLetter.resolution.is_(None),
            )
            .order_by(DeadLetter.offset.desc())
            .limit(IN_A_ROW)
        )
        expected = (record.offset - back for back in range(1, IN_A_ROW + 1))
        run = 0
        for offset, wanted in zip(offsets, expected, strict=False):
            if offset != wanted:
                break
            run += 1
        return run
