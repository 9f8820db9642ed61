"""Named places where a test lets a process die or freeze. Unarmed, as always but there, they do nothing.

`CRASH_AT=relay.acknowledged` kills this process (SIGKILL) when it passes that point, `STOP_AT=…` freezes it
(SIGSTOP) until somebody sends SIGCONT; `…:3` is the third passing. No setting: only `tests/faults` knows it.
"""

import os
import signal
from collections.abc import Mapping

SIGNALS = {"CRASH_AT": signal.SIGKILL, "STOP_AT": signal.SIGSTOP}


def armed(environment: Mapping[str, str]) -> dict[str, tuple[int, signal.Signals]]:
    """Each armed point: how many passings it is away, and the signal that comes then."""
    found = {}
    for name, number in SIGNALS.items():
        point, _, passings = environment.get(name, "").partition(":")
        if point:
            found[point] = int(passings or 1), number
    return found


_armed = armed(os.environ)


def at(point: str) -> None:
    """Pass *point*."""
    if point not in _armed:
        return
    passings, number = _armed[point]
    if passings > 1:
        _armed[point] = passings - 1, number
    else:
        del _armed[point]
        os.kill(os.getpid(), number)
