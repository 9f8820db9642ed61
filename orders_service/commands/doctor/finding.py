"""What a check has seen, and how checks are made: one after the other, none for ever."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from orders_service.database import error_code
from orders_service.events.broker import BrokerError

SECONDS = 15.0  # For one check. Its own time-outs are shorter; a name that nobody resolves has none.
TOO_LONG = 1969  # MariaDB ended a statement after `max_statement_time`.


class Level(StrEnum):
    """How bad it is. AWAY: whom to ask could not be reached."""

    FINE = "fine"
    WARNING = "warning"
    WRONG = "wrong"
    AWAY = "away"


@dataclass(frozen=True)
class Finding:
    """What was seen, and what to *do*."""

    level: Level
    seen: str
    do: str = ""

    @property
    def shuts(self) -> bool:
        """Whether what rests on this cannot be looked at."""
        return self.level in (Level.WRONG, Level.AWAY)


@dataclass(frozen=True)
class Check:
    """One question, by the *name* of what it asks about. The checks after a *gate* rest on it."""

    name: str
    look: Callable[[], Finding]
    gate: bool = False


def fine(seen: str) -> Finding:
    return Finding(Level.FINE, seen)


def warning(seen: str, do: str) -> Finding:
    return Finding(Level.WARNING, seen, do)


def wrong(seen: str, do: str) -> Finding:
    return Finding(Level.WRONG, seen, do)


def away(seen: str, do: str = "") -> Finding:
    return Finding(Level.AWAY, seen, do)


def made(checks: Iterable[Check]) -> Iterator[tuple[str, Finding]]:
    """What each check has seen; one that rests on a gate that is shut is not made."""
    shut: tuple[str, Level] | None = None
    for check in checks:
        if shut:
            yield check.name, Finding(shut[1], f"cannot be told: see {shut[0]}")
            continue
        finding = _bounded(check)
        yield check.name, finding
        if check.gate and finding.shuts:
            shut = check.name, finding.level


def _bounded(check: Check) -> Finding:
    """What it has seen within its time; what still hangs then ends with the process."""
    found: list[Finding] = []

    def look() -> None:
        try:
            found.append(check.look())
        except Exception as error:
            found.append(_of(error))

    looking = threading.Thread(target=look, name=f"doctor {check.name}", daemon=True)
    looking.start()
    looking.join(SECONDS)
    return found[0] if found else away(f"no answer within {SECONDS:.0f} s")


def _of(error: Exception) -> Finding:
    """What an error says of whom was asked, or of the check itself."""
    seen = " ".join(str(getattr(error, "orig", None) or error).split())
    if isinstance(error, DBAPIError) and error_code(error) == TOO_LONG:
        return warning(f"takes too long to tell: {seen}", "look again when the database has less to do")
    if isinstance(error, SQLAlchemyError | BrokerError | OSError):
        return away(seen)
    return wrong(f"{type(error).__name__}: {seen}", "report it: the check itself has a fault")
