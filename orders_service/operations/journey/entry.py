"""One entry of a journey, and the arrangement of all: sorted by instant, each with its gap."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from orders_service.operations.journey.spans import span

ROW, RECORD = 6, 3  # Digits of a second in the time of a database row, and of a record.
CLOCKS_DIFFER = "0 (clocks differ)"
SAME_TRANSACTION = "same transaction"
NOT_YET = "not yet"


@dataclass(eq=False)
class Entry:
    """Something that happened to an order, or that is missing. *cause* is an entry that came before."""

    kind: str
    title: str
    source: str
    detail: str = ""
    mark: str = "passed"
    at: datetime | None = None
    digits: int = ROW
    cause: "Entry | None" = None
    gap: str | None = None
    on_ruler: bool = False
    facts: list[tuple[str, str]] = field(default_factory=list)
    place: str | None = None
    record: dict[str, Any] | None = None
    path: str | None = None

    def as_json(self) -> dict[str, Any]:
        """The entry as the API shows it."""
        return {
            "kind": self.kind,
            "mark": self.mark,
            "title": self.title,
            "detail": self.detail,
            "at": self.at and self.at.isoformat(timespec="microseconds"),
            "digits": self.digits,
            "gap": self.gap,
            "source": self.source,
            "onRuler": self.on_ruler and self.at is not None,
            "facts": self.facts,
            "place": self.place,
            "record": self.record,
            "path": self.path,
        }


def arranged(entries: Iterable[Entry]) -> list[Entry]:
    """The *entries* sorted by instant, each with the gap to the one before it.

    The first entry has an instant, and each other one has a cause, which comes before it. The clocks of the
    databases and of the broker differ: an entry that seems to be earlier than its cause is put behind it.
    """
    told = list(entries)
    instants: dict[Entry, datetime] = {}
    for entry in told:
        known = (entry.at, entry.cause and instants[entry.cause])
        instants[entry] = max(instant for instant in known if instant)
    told.sort(key=instants.__getitem__)  # Sorting is stable.
    before: Entry | None = None
    for entry in told:
        if entry.at is not None:
            if before is not None and entry.gap is None:
                digits = min(before.digits, entry.digits)
                entry.gap = _gap(entry, instants[before], instants[entry], digits)
            before = entry
    return told


def _gap(entry: Entry, begin: datetime, end: datetime, digits: int) -> str:
    """The time from *begin* to *end*, as precise as the coarser of the two."""
    if entry.cause is not None and entry.cause.at is not None and entry.at is not None:
        coarser = min(entry.digits, entry.cause.digits)
        if _floor(entry.at, coarser) < _floor(entry.cause.at, coarser):
            return CLOCKS_DIFFER
    return f"+{span(_floor(end, digits) - _floor(begin, digits), digits)}"


def _floor(at: datetime, digits: int) -> datetime:
    return at if digits == ROW else at - timedelta(microseconds=at.microsecond % 1000)
