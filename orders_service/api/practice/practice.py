"""The practice: causes one fault at a time on a thread of its own, and shows what became of each."""

import threading
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy.exc import SQLAlchemyError

from orders_service.api.committer import Overdue, Overloaded
from orders_service.api.practice.faults import ASK_DOCTOR, FAULTS, Act, Fault, Outcome
from orders_service.api.practice.scene import Scene
from orders_service.database.errors import in_short
from orders_service.events.brokers.port import BrokerError

LASTS_SECONDS = 300  # A fault that lasts is undone after this time, if nobody does it.

log = structlog.get_logger()


@dataclass
class Trial:
    """A fault, and how its last trial stands."""

    fault: Fault
    runs: bool = False
    outcome: Outcome | None = None
    timer: threading.Timer | None = None  # Undoes a fault that lasts.

    @property
    def state(self) -> str:
        if self.runs:
            return "running"
        return "stopped" if self.undo else "ready"

    @property
    def undo(self) -> Act | None:
        return self.outcome.undo if self.outcome else None


class Practice:
    """All faults, of which one runs at a time. One that lasts must be undone before the next.

    They act on the *scene*.
    """

    def __init__(self, scene: Scene, *, lasts_seconds: float = LASTS_SECONDS) -> None:
        self.scene = scene
        self._lasts_seconds = lasts_seconds
        self._trials = {fault.name: Trial(fault) for fault in FAULTS}
        self._mutex = threading.Lock()

    def __contains__(self, name: object) -> bool:
        return name in self._trials

    def shown(self) -> list[dict[str, Any]]:
        """Every fault with its state, its button, why it cannot be caused now, and what became of it."""
        with self._mutex:
            return [self._shown(trial) for trial in self._trials.values()]

    def press(self, name: str) -> str:
        """Cause the fault or, if it lasts, undo it. Returns why nothing is done; empty if it has begun."""
        trial = self._trials[name]
        with self._mutex:
            if why := self._obstacle(trial):
                return why
            act, trial.runs = trial.undo or trial.fault.cause, True
            if trial.timer:
                trial.timer.cancel()
        threading.Thread(target=self._run, args=(trial, act), name=f"practice {name}", daemon=True).start()
        return ""

    def _run(self, trial: Trial, act: Act) -> None:
        outcome = Outcome(f"It failed. {ASK_DOCTOR}", undo=trial.undo)
        try:
            outcome = act(self.scene)
        except (SQLAlchemyError, BrokerError, Overdue, Overloaded, OSError) as error:
            log.error("a fault of the practice failed", fault=trial.fault.name, error=in_short(error))
        finally:
            with self._mutex:
                trial.runs, trial.outcome = False, outcome
        if outcome.undo:
            trial.timer = threading.Timer(self._lasts_seconds, self._undo_later, (trial, outcome))
            trial.timer.daemon = True
            trial.timer.start()

    def _undo_later(self, trial: Trial, outcome: Outcome) -> None:
        """Undo a fault that nobody has undone meanwhile."""
        if trial.outcome is outcome:
            self.press(trial.fault.name)

    def _obstacle(self, trial: Trial) -> str:
        for other in self._trials.values():
            if other.runs:
                return f"{other.fault.title} runs. One fault runs at a time."
            if other.undo and other is not trial:
                return f"{other.fault.undo_button} first."
        return ""

    def _shown(self, trial: Trial) -> dict[str, Any]:
        fault, outcome = trial.fault, trial.outcome
        why = "" if trial.runs else self._obstacle(trial)
        return {
            "name": fault.name,
            "title": fault.title,
            "about": fault.about,
            "state": trial.state,
            "button": fault.undo_button if trial.undo else fault.button,
            "why": why or None,
            "ended": outcome.text if outcome and not trial.runs else None,
            "counts": {status.lower(): count for status, count in outcome.counts.items()}
            if outcome and not trial.runs
            else None,
            "path": outcome.path if outcome else None,
            "docs": fault.docs,
        }
