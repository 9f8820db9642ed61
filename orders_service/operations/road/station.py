"""A station of the road, as the page and `top` show it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from orders_service.operations.road.event_tables import LastError

WELL, STOPPED, UNKNOWN = "well", "stopped", "unknown"


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Why a station does not do its work, in words, and the command that helps."""

    title: str
    detail: str
    command: str | None = None
    advice: str | None = None


@dataclass(frozen=True, kw_only=True)
class Station:
    """What a station does now. *waiting* is a number and the noun of what waits."""

    name: str
    title: str
    about: str
    state: str = WELL
    per_second: float | None = None
    waiting: tuple[int, str] | None = None
    oldest_seconds: float | None = None
    held_by: str | None = None
    held_detail: str | None = None
    last_error: LastError | None = None
    problem: str | None = None
    trouble: Trouble | None = None

    def as_json(self) -> dict[str, Any]:
        """The station in the JSON of `/admin/road`."""
        error = self.last_error
        return {
            "name": self.name,
            "title": self.title,
            "about": self.about,
            "state": self.state,
            "perSecond": tenths(self.per_second),
            "waiting": None if self.waiting is None else _waiting(*self.waiting),
            "oldestSeconds": tenths(self.oldest_seconds, digits=3),
            "heldBy": self.held_by,
            "heldDetail": self.held_detail,
            "lastError": None
            if error is None
            else {"at": error.at.isoformat(timespec="microseconds"), "text": error.text, "path": error.path},
            "problem": self.problem,
        }


def _waiting(count: int, nouns: str) -> dict[str, Any]:
    return {"count": count, "of": nouns.removesuffix("s") if count == 1 else nouns}


def tenths(value: float | None, *, digits: int = 1) -> float | None:
    """The value with few digits."""
    return None if value is None else round(value, digits)


def counted(count: int, noun: str, *, most: int | None = 10_000) -> str:
    """A number with its noun: `1 record`, `1,752 records`, `10,000 or more records`.

    *most* is how far it was counted; None if the number is exact.
    """
    more = " or more" if most is not None and count >= most else ""
    return f"{count:,}{more} {noun}{'' if count == 1 else 's'}"


def ranges(numbers: Sequence[int]) -> str:
    """Numbers as ranges: `0–2, 5`."""
    parts: list[list[int]] = []
    for number in sorted(numbers):
        if parts and number == parts[-1][-1] + 1:
            parts[-1][1:] = [number]
        else:
            parts.append([number])
    return ", ".join("–".join(map(str, dict.fromkeys(part))) for part in parts)
