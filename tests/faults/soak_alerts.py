"""The alerts during a soak: each that fires must have a fault that explains it."""

import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

import httpx

from rig import waiting

EVERY_SECONDS = 1.0
DEAD_LETTER, DEAD_LETTER_SECONDS = "OrdersDeadLetter", 30.0  # It fires so soon after the first poison.
DATABASE_FAILS = frozenset(
    {
        *("mariadb_killed", "mariadb_read_only"),
        # The next ones happen to a cluster only.
        *("writer_killed", "writer_frozen", "writer_cut_off", "two_nodes_killed"),
        *("nodes_restarted", "cluster_killed", "node_read_only", "proxy_killed"),
    }
)
WORKERS_FAIL = DATABASE_FAILS | {
    *("connections_cut", "commits_lost", "network_stalled"),
    *("kafka_killed", "kafka_paused", "broker_killed"),
}
# One after another, these may keep all answers back for two minutes, after which the alert fires.
EVERYTHING_FAILS = frozenset({"kafka_killed", "broker_killed", "two_nodes_killed", "cluster_killed"})
RESTARTED = frozenset({"killed", "killed_at_a_point", "told_to_stop"})


@dataclass(frozen=True)
class Causes:
    """The faults after which an alert may fire, and for how long after them."""

    faults: frozenset[str]
    minutes: float


# The rules have their real durations. No other alert may fire: a fault is over before a person is needed.
CAUSES: Mapping[str, Causes] = MappingProxyType(
    {
        DEAD_LETTER: Causes(frozenset({"poisoned"}), float("inf")),
        "OrdersServerErrors": Causes(DATABASE_FAILS, 7),  # A window of five minutes, and one of patience.
        "OrdersUnanswered": Causes(EVERYTHING_FAILS, 3),
        "OrdersStepFailing": Causes(WORKERS_FAIL, 3),  # Failures again and again, for three minutes.
        "OrdersRestarting": Causes(RESTARTED, 11),  # Four times in ten minutes.
    }
)


class Watched(Protocol):
    """A Prometheus, as far as it is used here."""

    def firing(self) -> set[str]:
        """The names of the alerts that fire now."""


@dataclass
class Alerts:
    """Watches a Prometheus in a thread, and notes which alerts fire after which fault."""

    prometheus: Watched
    unexplained: list[str] = field(default_factory=list)
    _happened: list[tuple[float, str]] = field(default_factory=list)
    _fired: Counter[tuple[str, str]] = field(default_factory=Counter)
    _first: dict[str, float] = field(default_factory=dict)  # When each alert fired first,
    _soonest: dict[tuple[str, str], float] = field(default_factory=dict)  # and the seconds since its fault.
    _firing: set[str] = field(default_factory=set)
    _looks: int = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch until the block ends."""
        over = threading.Event()
        thread = threading.Thread(target=self._watch, args=(over,))
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()

    @contextmanager
    def during(self, fault: str) -> Iterator[None]:
        """A fault that happens in the block. It explains alerts from its beginning."""
        self._happened.append((time.monotonic(), fault))
        try:
            yield
        finally:
            self._happened.append((time.monotonic(), fault))

    def problems(self) -> list[str]:
        """A line for each alert that fired without a cause, or that did not fire in time."""
        poisoned = next((at for at, fault in self._happened if fault == "poisoned"), time.monotonic())
        waited = self._first.get(DEAD_LETTER, time.monotonic()) - poisoned
        is_late = waited > waiting.seconds(DEAD_LETTER_SECONDS)
        late = [f"{DEAD_LETTER} did not fire in {waited:.0f} s"] if is_late else []
        blind = [] if self._looks else ["Prometheus never answered which alerts fire"]
        return self.unexplained + late + blind

    def report(self) -> list[str]:
        """A line for each alert and fault."""
        return [
            f"{alert} fired {count} × after {fault}: at the soonest {self._soonest[alert, fault]:.0f} s later"
            for (alert, fault), count in sorted(self._fired.items())
        ] or ["no alert fired"]

    def _watch(self, over: threading.Event) -> None:
        while not over.wait(EVERY_SECONDS):
            try:
                firing = self.prometheus.firing()
            except httpx.TransportError:  # It is late, for the machine is busy.
                continue
            except Exception as error:
                self.unexplained.append(f"the alerts were no longer watched: {error!r}")
                raise
            self._looks += 1
            for alert in sorted(firing - self._firing):
                self._note(alert, time.monotonic())
            self._firing = firing

    def _note(self, alert: str, now: float) -> None:
        self._first.setdefault(alert, now)
        causes = CAUSES.get(alert, Causes(frozenset(), 0))
        for at, fault in reversed(self._happened):
            if fault in causes.faults and now - at <= causes.minutes * 60:
                known = alert, fault
                self._fired[known] += 1
                self._soonest[known] = min(now - at, self._soonest.get(known, now - at))
                return
        last = ", ".join(f"{fault} {now - at:.0f} s ago" for at, fault in self._happened[-4:])
        self.unexplained.append(f"{alert} fired without a cause (before it: {last or 'no fault'})")
