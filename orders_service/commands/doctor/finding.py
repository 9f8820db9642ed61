"""Checks and their findings. Checks run one after the other, each with a time-out."""

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from orders_service.database.errors import error_code
from orders_service.events.brokers.port import BrokerError

SECONDS = 15.0  # The time-out of a check. Connections have shorter ones, but DNS look-ups have none.
TOO_LONG = 1969  # MariaDB ended a statement after `max_statement_time`.


class Level(StrEnum):
    """The severity of a finding. AWAY means that the server could not be reached."""

    FINE = "fine"
    WARNING = "warning"
    WRONG = "wrong"
    AWAY = "away"


@dataclass(frozen=True)
class Finding:
    """The result of a check: what was *seen*, and what to *do* about it."""

    level: Level
    seen: str
    do: str = ""

    @property
    def shuts(self) -> bool:
        """Whether the checks that depend on this one must be skipped."""
        return self.level in (Level.WRONG, Level.AWAY)


@dataclass(frozen=True)
class Check:
    """One check and its *name*. If a *gate* fails, the checks after it are skipped."""

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


def run_checks(checks: Iterable[Check]) -> Iterator[tuple[str, Finding]]:
    """Run the checks and yield their names and findings. After a failed gate the others are skipped."""
    shut: tuple[str, Level] | None = None
    for check in checks:
        if shut:
            yield check.name, Finding(shut[1], f"not checked: see {shut[0]}")
            continue
        finding = _bounded(check)
        yield check.name, finding
        if check.gate and finding.shuts:
            shut = check.name, finding.level


def _bounded(check: Check) -> Finding:
    """Run a check with a time-out. A check that hangs is left to its daemon thread."""
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
    """The finding for an exception: the server's fault, or a bug in the check."""
    seen = " ".join(str(getattr(error, "orig", None) or error).split())
    if isinstance(error, DBAPIError) and error_code(error) == TOO_LONG:
        return warning(f"the check took too long: {seen}", "run doctor again when the database is less busy")
    if isinstance(error, SQLAlchemyError | BrokerError | OSError):
        return away(seen)
    return wrong(f"{type(error).__name__}: {seen}", "please report this: it is a bug in the check")
