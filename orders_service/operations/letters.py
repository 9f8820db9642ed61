"""An operator's decisions about dead letters: one, those of a cause, or all."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Literal

from sqlalchemy.orm import Session

from orders_service import resources
from orders_service.events import dead_letter_search, resolving
from orders_service.events.consumer import Handler
from orders_service.events.dead_letter_search import UNRESOLVED, Filter, RecordId, State, Summary
from orders_service.events.resolving import Resolution
from orders_service.processes import CONSUMERS, Consumer, DatabaseName, SettingName
from orders_service.settings import Settings

Decision = Literal["replay", "discard", "hold", "release"]
DONE: Mapping[Decision, str] = {
    "replay": "replayed",
    "discard": "discarded",
    "hold": "put on hold",
    "release": "released",
}
RESOLUTIONS: Mapping[Decision, Resolution] = {"replay": "replayed", "discard": "discarded"}

Decide = Callable[[], str]  # Carries a decision out. Returns the problem, or "".
Handlers = dict[str, tuple[DatabaseName, Handler]]  # By consumer group.
Databases = Iterable[tuple[set[DatabaseName], Session]]  # A session for each, with the names of its database.


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which dead letters an operator means: one record, or all with a reason, an error or a group.

    Those on hold are left alone, unless one is named or *held* says so.
    """

    record_id: RecordId | None = None
    group: str | None = None
    reason: str | None = None
    error: str | None = None
    held: bool = False

    def filter(self, decision: Decision) -> Filter:
        """The letters that the *decision* is about."""
        states = frozenset({State.WAITING})
        if decision == "release":
            states = frozenset({State.HOLD})
        elif self.record_id or (self.held and decision != "hold"):
            states = UNRESOLVED
        return Filter(self.record_id, self.group, self.reason, self.error, states)

    @property
    def options(self) -> list[str]:
        """The options of a command that select the same letters."""
        named = {"--reason": self.reason, "--error": self.error, "--group": self.group}
        words = [word for name, text in named.items() if text is not None for word in (name, text)]
        words += ["--held"] if self.held else []
        return words if self.record_id or self.reason or self.error else ["--all", *words]

    @property
    def arguments(self) -> list[str]:
        """The arguments of a command that select the same letters."""
        return [str(self.record_id)] if self.record_id else []


@dataclass(frozen=True, kw_only=True)
class Operator:
    """Carries out decisions: *handlers* are those of the decision, *by* and *note* are recorded."""

    decision: Decision
    by: str
    note: str | None = None
    handlers: Handlers
    dry_run: bool = False

    def find(self, databases: Databases, selection: Selection) -> Iterator[tuple[Summary, Decide]]:
        """Each letter of the *selection*, with the function that carries the decision out."""
        for names, session in databases:
            for letter in dead_letter_search.find(session, selection.filter(self.decision)):
                yield letter, partial(self.decide, session, names, letter)

    def decide(self, session: Session, names: set[DatabaseName], letter: Summary) -> str:
        """Decide about one letter, in a transaction of its own. Returns the problem, or ""."""
        if self.decision == "hold":
            return "" if self.dry_run else resolving.hold(session, letter, by=self.by, note=self.note)
        if self.decision == "release":
            return "" if self.dry_run else resolving.release(session, letter, note=self.note)
        name, handler = self.handlers.get(letter.group, (None, None))
        if name is None or handler is None:
            return _unknown_group(self.handlers)
        if name not in names:
            return f"its group belongs to the {name} database"
        if self.dry_run:
            return ""
        resolution = RESOLUTIONS[self.decision]
        return resolving.resolve(session, letter, handler, resolution=resolution, by=self.by, note=self.note)


def handlers(settings: Settings, made: Callable[[Consumer, Settings], Handler]) -> Handlers:
    """The handler of each consumer group, with its database. *made* makes the handler of a consumer."""
    return {
        resources.group(settings, consumer): (consumer.database, made(consumer, settings))
        for consumer in CONSUMERS
    }


def _unknown_group(handlers: Handlers) -> str:
    named = [consumer.group.name for consumer in CONSUMERS if isinstance(consumer.group, SettingName)]
    return f"its group is neither {' nor '.join(handlers)}. Set {' or '.join(named)} to it for this command"


@dataclass(frozen=True)
class Group:
    """Unresolved dead letters with the same cause."""

    reason: str
    error: str
    group: str
    count: int
    on_hold: int
    first_at: datetime
    last_at: datetime
    sample: RecordId  # The newest of them.

    def as_json(self) -> dict[str, object]:
        """The group as JSON, for `/admin` and for the command."""
        return {
            "count": self.count,
            "onHold": self.on_hold,
            "reason": self.reason,
            "error": self.error,
            "group": self.group,
            "firstAt": self.first_at.isoformat(timespec="microseconds"),
            "lastAt": self.last_at.isoformat(timespec="microseconds"),
            "sample": str(self.sample),
        }

    def __add__(self, other: "Group") -> "Group":
        newest = max(self, other, key=lambda group: group.last_at)
        return replace(
            newest,
            count=self.count + other.count,
            on_hold=self.on_hold + other.on_hold,
            first_at=min(self.first_at, other.first_at),
        )


def groups(letters: Iterable[Summary]) -> Sequence[Group]:
    """Unresolved *letters* by cause: the largest group first, and those that are all on hold last."""
    found: dict[tuple[str, str, str], Group] = {}
    for letter in letters:
        key = letter.reason, letter.error, letter.group
        at, held = letter.created_at, letter.state == State.HOLD
        one = Group(*key, 1, int(held), at, at, letter.record_id)
        found[key] = found[key] + one if key in found else one
    return sorted(
        found.values(), key=lambda group: (group.on_hold == group.count, -group.count, group.reason)
    )
