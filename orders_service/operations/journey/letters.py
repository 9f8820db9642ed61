"""Dead letters: each stands in the place of the entry that it stopped."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote

from sqlalchemy import Row

from orders_service.operations.journey.entry import Entry
from orders_service.operations.journey.spans import span
from orders_service.operations.journey.stored import Rows, place_of
from orders_service.printable import printable


def letter_entries(letters: Rows, database: str, entries: Sequence[Entry], last: Entry) -> list[Entry]:
    """An entry for each dead letter, caused by the entry of its record among *entries*, else by *last*."""
    causes = {entry.place: entry for entry in entries if entry.place}
    return [_entry(letter, database, causes.get(place_of(letter), last)) for letter in letters]


def open_letters(letters: Rows) -> list[Row[Any]]:
    """Those that were neither replayed nor discarded."""
    return [letter for letter in letters if letter.resolution is None]


def stop(letters: Rows, entries: Iterable[Entry]) -> bool:
    """Whether one of *letters* is open, and its record is one of *entries*, or its record is unknown."""
    places = {entry.place for entry in entries if entry.place}
    return any(not places or place_of(letter) in places for letter in open_letters(letters))


def _entry(letter: Row[Any], database: str, cause: Entry) -> Entry:
    place = place_of(letter)
    reason = letter.reason.replace("-", " ").capitalize()
    detail = f"{printable(reason)}: {printable(letter.detail)}"
    on_hold = letter.resolution is None and letter.held_at is not None
    if letter.resolution:
        detail += _changed(letter.resolution, letter.resolved_by, letter.resolved_at, letter)
    elif on_hold:
        detail += _changed("put on hold", letter.held_by, letter.held_at, letter)
    return Entry(
        "dead-letter",
        "On hold: a dead letter" if on_hold else "Stopped: a dead letter",
        f"{database} database, dead_letters",
        detail,
        mark="hold" if on_hold else "stopped",
        at=letter.created_at,
        cause=cause,
        facts=[("group", printable(letter.consumer_group))],
        place=printable(place),
        path=f"/ui/dead-letters/{quote(place, safe='@')}",
    )


def _changed(what: str, by: str | None, at: datetime | None, letter: Row[Any]) -> str:
    later = f", {span(at - letter.created_at)} later" if at else ""
    return f" It was {printable(what)} by {printable(by or 'somebody')}{later}."
