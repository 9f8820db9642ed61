"""Named points in the code where a test kills or freezes a process. Outside such tests they do nothing.

`CRASH_AT=relay.acknowledged` kills this process (SIGKILL) when it passes that point. `STOP_AT=…` freezes it
(SIGSTOP) until it receives SIGCONT. `…:3` waits for the third pass. Only `tests/faults` sets these variables.
"""

import os
import signal
from collections.abc import Mapping

SIGNALS = {"CRASH_AT": signal.SIGKILL, "STOP_AT": signal.SIGSTOP}


def armed(environment: Mapping[str, str]) -> dict[str, tuple[int, signal.Signals]]:
    """The armed points: on which pass the signal is sent, and which signal."""
    found = {}
    for name, number in SIGNALS.items():
        point, _, passings = environment.get(name, "").partition(":")
        if point:
            found[point] = int(passings or 1), number
    return found


_armed = armed(os.environ)


def at(point: str) -> None:
    """Pass *point*: send this process the signal that is armed for it."""
    if point not in _armed:
        return
    passings, number = _armed[point]
    if passings > 1:
        _armed[point] = passings - 1, number
    else:
        del _armed[point]
        os.kill(os.getpid(), number)
