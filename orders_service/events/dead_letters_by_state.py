"""Reads the dead letters in a state by the index of their state, a bounded number in one statement."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import literal, select, tuple_
from sqlalchemy.orm import InstrumentedAttribute, Session

from orders_service.events.dead_letter_search import CHUNK, COLUMNS, KEY, State, Summary
from orders_service.events.tables import DeadLetter

Place = tuple[datetime, datetime | None, str, int, int, int, str]
"""Where a letter stands in its state: when it was written, when it was put on hold, and its key."""

# The index has the columns `resolution`, `held_at` and `created_at`. Letters that were resolved have two
# parts in it: those that were on hold before are sorted by the time of that.
PARTS: Mapping[State, Sequence[tuple[str | None, bool]]] = {
    State.WAITING: ((None, False),),
    State.HOLD: ((None, True),),
    State.REPLAYED: (("replayed", False), ("replayed", True)),
    State.DISCARDED: (("discarded", False), ("discarded", True)),
}


def newest(session: Session, state: State, most: int) -> list[Summary]:
    """The newest *most* letters in *state*, newest first."""
    found = []
    for resolution, was_held in PARTS[state]:
        query = select(*COLUMNS).where(*_in_part(resolution, was_held))
        order = [column.desc() for column in _order(was_held)[: 2 if was_held else 1]]
        found += [Summary(*row) for row in session.execute(query.order_by(*order).limit(most))]
    return sorted(found, key=lambda letter: letter.created_at, reverse=True)[:most]


def unresolved(session: Session, state: State, *, after: Place | None = None) -> Iterator[Summary]:
    """The letters that wait or are on hold, oldest first. Reads in chunks, each in its own transaction.

    *after* is the place of the letter after which it begins.
    """
    ((resolution, is_held),) = PARTS[state]
    order = _order(is_held)
    while True:
        query = select(*COLUMNS).where(*_in_part(resolution, is_held))
        if after is not None:
            values = (*(after[1:2] if is_held else ()), after[0], *after[2:])
            bound = [literal(value, column.type) for value, column in zip(values, order, strict=True)]
            # The first condition is for the index: MariaDB does not use it for a comparison of tuples.
            query = query.where(order[0] >= bound[0], tuple_(*order) > tuple_(*bound))
        rows = session.execute(query.order_by(*order).limit(CHUNK)).all()
        session.rollback()
        for row in rows:
            letter = Summary(*row)
            after = place(letter)
            yield letter
        if len(rows) < CHUNK:
            return


def place(letter: Summary) -> Place:
    """The place of a letter in its state."""
    key = letter.topic, letter.partition, letter.offset, letter.record_timestamp, letter.group
    return (letter.created_at, letter.held_at, *key)


def _in_part(resolution: str | None, was_held: bool) -> tuple[Any, Any]:
    return (
        DeadLetter.resolution.is_(None) if resolution is None else DeadLetter.resolution == resolution,
        DeadLetter.held_at.is_not(None) if was_held else DeadLetter.held_at.is_(None),
    )


def _order(was_held: bool) -> list[InstrumentedAttribute[Any]]:
    return [*([DeadLetter.held_at] if was_held else []), DeadLetter.created_at, *KEY]
