"""Watches which alerts fire during a fault, and when."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.faults.alerts.faults import Fault
from tests.faults.alerts.scene import Scene

FIRE_SECONDS = 60.0  # The longest time until every alert of a fault fires.
CLEAR_SECONDS = 90.0  # The longest time from the end of a fault until no alert fires.
MORE_SECONDS = 8.0  # After the last alert: another one may follow.
PAUSE = 0.25


@dataclass
class Watched:
    """What fired: for each alert, the seconds since the beginning of the fault. *cleared*: since its end."""

    fault: Fault
    fired: dict[str, float] = field(default_factory=dict)
    cleared: float | None = None

    @property
    def problems(self) -> list[str]:
        """What did not happen as expected."""
        missing = sorted(self.fault.alerts - self.fired.keys())
        others = sorted(self.fired.keys() - self.fault.alerts)
        return [
            *(f"{self.fault.name}: {alert} did not fire" for alert in missing),
            *(f"{self.fault.name}: {alert} fired, too" for alert in others),
            *([f"{self.fault.name}: the alerts did not clear"] if self.cleared is None else []),
        ]


def watch(scene: Scene, faults: tuple[Fault, ...], tell: Callable[[Watched], None]) -> list[Watched]:
    """Let each fault happen in turn. The next one begins when no alert fires any more."""
    found, lasting = [], set[str]()
    for fault in faults:
        watched = Watched(fault)
        with fault.during(scene):
            _watch(scene, watched, without=lasting)
        if fault.lasting:
            lasting |= fault.alerts
        watched.cleared = _cleared(scene, without=lasting)
        found.append(watched)
        tell(watched)
    return found


def _watch(scene: Scene, watched: Watched, *, without: set[str]) -> None:
    began, last = time.monotonic(), None
    while (now := time.monotonic() - began) < FIRE_SECONDS:
        for alert in scene.prometheus.firing() - without:
            watched.fired.setdefault(alert, now)
        if watched.fault.alerts <= watched.fired.keys():
            last = last or now
            if now > last + MORE_SECONDS:
                return
        time.sleep(PAUSE)


def _cleared(scene: Scene, *, without: set[str]) -> float | None:
    """Wait until no alert fires; the seconds that this took, None if it took too long."""
    began = time.monotonic()
    while scene.prometheus.firing() - without:
        if time.monotonic() - began > CLEAR_SECONDS:
            return None
        time.sleep(PAUSE)
    return time.monotonic() - began
