"""Carries a decision out for many dead letters, in parts: each part has a bound, and says where it ended."""

import base64
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from orders_service.events import dead_letter_search, dead_letters_by_state
from orders_service.events.dead_letter_search import UNRESOLVED, Filter, State, Summary
from orders_service.events.dead_letters_by_state import Place
from orders_service.operations.letters import Operator, Selection
from orders_service.processes import DATABASES, DatabaseName

SEQUENCE = (State.HOLD, State.WAITING)


class NotACursor(ValueError):
    """The text is not a cursor that `Cursor.text` made."""


@dataclass(frozen=True)
class Cursor:
    """The end of a part: in this database, in this state, after the letter at this place."""

    database: DatabaseName
    state: State = SEQUENCE[0]
    after: Place | None = None

    @property
    def text(self) -> str:
        """The cursor as visible ASCII, which a client sends back."""
        place = [each.isoformat() if isinstance(each, datetime) else each for each in self.after or ()]
        return base64.urlsafe_b64encode(json.dumps([self.database, self.state, *place]).encode()).decode()

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read *text*; raises `NotACursor`."""
        try:
            database, state, *place = json.loads(base64.b64decode(text, b"-_", validate=True))
            after = _place(*place) if place else None
            if database not in DATABASES or State(state) not in UNRESOLVED:
                raise NotACursor
            if after and (after[1] is None) == (state == State.HOLD):
                raise NotACursor
        except (ValueError, TypeError, AttributeError, OverflowError, RecursionError) as error:
            raise NotACursor from error
        return cls(database, State(state), after)


@dataclass(frozen=True)
class Source:
    """A database: the names that it has, and a function that opens a session of it."""

    names: Sequence[DatabaseName]
    open: Callable[[], AbstractContextManager[Session]]


@dataclass
class Part:
    """The outcome of a part. *next* is where the next one begins; None if all letters were looked at."""

    decided: list[tuple[Summary, str]] = field(default_factory=list)
    next: Cursor | None = None
    away: list[DatabaseName] = field(default_factory=list)  # Databases that did not answer.


def decide(
    operator: Operator,
    selection: Selection,
    sources: Sequence[Source],
    *,
    after: Cursor | None,
    most: int,
    seconds: float,
) -> Part:
    """Decide about at most *most* letters of the *selection*; begins none after *seconds*."""
    only = selection.filter(operator.decision)
    part, until = Part(), time.monotonic() + seconds
    names = [source.names[0] for source in sources]
    first = names.index(after.database) if after and after.database in names else 0
    for number, source in enumerate(sources[first:]):
        at = after if after and not number else Cursor(source.names[0])
        try:
            with source.open() as session:
                for letter in _looked_at(session, only, at):
                    matches = only.has(letter)
                    if (matches and len(part.decided) == most) or time.monotonic() > until:
                        part.next = at
                        return part
                    if matches:
                        part.decided.append((letter, operator.decide(session, {*source.names}, letter)))
                    at = Cursor(source.names[0], letter.state, dead_letters_by_state.place(letter))
        except SQLAlchemyError:
            part.away.append(source.names[0])
    return part


def _looked_at(session: Session, only: Filter, begin: Cursor) -> Iterator[Summary]:
    """The letters in the states of *only*, from *begin* on; of a single record, only its letters."""
    if only.record_id:
        yield from dead_letter_search.find(session, only)
        return
    for state in SEQUENCE[SEQUENCE.index(begin.state) :]:
        if state in only.states:
            after = begin.after if state == begin.state else None
            yield from dead_letters_by_state.unresolved(session, state, after=after)


def _place(
    created: str, held: str | None, topic: str, partition: int, offset: int, timestamp: int, group: str
) -> Place:
    numbers = [partition, offset, timestamp]
    if not all(type(number) is int and abs(number) < 2**63 for number in numbers):
        raise NotACursor
    for text in (topic, group):
        text.encode()  # A text with an unpaired surrogate cannot be sent to the database.
    return (
        _instant(created),
        None if held is None else _instant(held),
        topic,
        partition,
        offset,
        timestamp,
        group,
    )


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)
