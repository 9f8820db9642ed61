"""A breaker: many dead letters in a row stop the consumer, for the cause is probably not in the records."""

from collections.abc import Collection, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from orders_service.events.brokers.port import Record
from orders_service.events.errors import NOT_OURS, TooManyDeadLetters
from orders_service.events.tables import DeadLetter

IN_A_ROW = 20
# How many offsets back the table is searched. More than a batch has: the run that stopped the consumer may
# be anywhere in its last batch.
WITHIN = 1000


class Breaker:
    """Counts the runs of dead letters in each partition, wherever in a batch they are.

    The batch with the run is acknowledged, so a restarted consumer begins after it. Therefore, after a
    restart the offsets before the first record are looked up in the table: a run stops the consumer again
    until enough of it was replayed, discarded or put on hold.

    Offsets that no consumer receives (aborted records, transaction markers) do not end a run that is counted
    in memory. The table cannot distinguish them from good records, so there they end a run.
    """

    def __init__(self, group: str) -> None:
        self._group = group
        self._generation: object = None
        # For each partition the next offset, and the length of the run before it.
        self._runs: dict[tuple[str, int], tuple[int, int]] = {}

    def check_before(self, session: Session, records: Sequence[Record], generation: object) -> None:
        """Raise `TooManyDeadLetters` if a run before *records* was neither resolved nor put on hold.

        Counts anew for a new *generation* of the group: another member may have read good records in between.
        """
        if generation != self._generation:
            self._generation = generation
            self._runs.clear()
        firsts = {(record.topic, record.partition): record for record in reversed(records)}
        for place, first in firsts.items():
            if place not in self._runs or first.offset < self._runs[place][0]:
                self._runs[place] = first.offset, self._run_in_table(session, first)
        session.rollback()

    def count_after(
        self, records: Sequence[Record], *, suspect: Collection[Record], neutral: Collection[Record]
    ) -> None:
        """Count the *suspect* records; raise `TooManyDeadLetters` if a run was too long, even one that ended.

        *neutral* records say nothing about our own health: they neither count nor end a run.
        """
        counted, passed = set(map(_offset, suspect)), set(map(_offset, neutral))
        longest: dict[tuple[str, int], int] = {}
        for record in records:
            place = record.topic, record.partition
            run = self._runs[place][1]
            if _offset(record) not in passed:
                run = run + 1 if _offset(record) in counted else 0
            self._runs[place] = record.offset + 1, run
            longest[place] = max(run, longest.get(place, 0))
        for place, run in longest.items():
            _check(place, run)

    def _run_in_table(self, session: Session, record: Record) -> int:
        """The length of the run that ends right before *record*."""
        place = record.topic, record.partition
        letters = session.execute(
            select(DeadLetter.offset, DeadLetter.reason)
            .where(
                DeadLetter.topic == record.topic,
                DeadLetter.partition == record.partition,
                DeadLetter.offset.between(record.offset - WITHIN, record.offset - 1),
                DeadLetter.consumer_group == self._group,
                DeadLetter.resolution.is_(None),
                DeadLetter.held_at.is_(None),
            )
            .order_by(DeadLetter.offset)
        ).all()
        run, following = 0, None
        for offset, reason in letters:
            if following not in (None, offset):
                run = 0
            run += reason not in NOT_OURS
            _check(place, run)
            following = offset + 1
        return run if following == record.offset else 0


def _offset(record: Record) -> tuple[str, int, int]:
    return record.topic, record.partition, record.offset


def _check(place: tuple[str, int], run: int) -> None:
    if run >= IN_A_ROW:
        raise TooManyDeadLetters(*place, run)
