"""Shrinks a history that breaks a promise: fewer steps, and fewer kinds of events."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from rig.simulation.history import Verdict
from rig.simulation.world import Plan

SECONDS = 60.0  # It looks for a smaller plan at most this long.


def shrink(verdict: Verdict, judged: Callable[[Plan], Verdict]) -> Plan:
    """A smaller plan that breaks the same promise. Each kind has its own generator, so leaving one out keeps
    the others as they are, until something else happens because of it."""
    smallest, promise = verdict.plan, _promise(verdict)
    shrinks, until = True, time.monotonic() + SECONDS
    while shrinks and time.monotonic() < until:
        shrinks = False
        for plan in _smaller(smallest, verdict.kinds):
            if _promise(judged(plan)) == promise:
                smallest, shrinks = plan, True
                break
    return smallest


def _smaller(plan: Plan, kinds: tuple[str, ...]) -> Iterator[Plan]:
    for kind in kinds:
        if kind not in plan.without:
            yield replace(plan, without=plan.without | {kind})
    for steps in dict.fromkeys((plan.steps // 2, plan.steps * 3 // 4, plan.steps - 1)):
        if 0 < steps < plan.steps:
            yield replace(plan, steps=steps)


def _promise(verdict: Verdict) -> str:
    """The name of the first broken promise; "" if none is broken."""
    return verdict.problems[0].partition(":")[0] if verdict.problems else ""
