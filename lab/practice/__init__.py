"""The course's practice: nine steps on the running lab. Each runs commands and checks what they print."""

import io
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import TextIO

import httpx
import pymysql

from ..errors import LabError, NotRunning
from ..laboratory import Lab
from ..terminal import Terminal
from . import connectors, console, orders
from .closing import summary
from .leftovers import MAKES_TABLES, SERVICE, TABLES, USES_SERVICE, Things, made_by, on_the_lab, remove
from .opening import LOOK_AT, missing

STEPS: list[tuple[str, Callable[[Terminal], None]]] = [
    ("Kafka by its console tools", console.console),
    ("MariaDB: mydb and its tables", connectors.database),
    ("Kafka Connect", connectors.worker),
    ("The source: a row becomes a record", connectors.source),
    ("The sink: a record becomes a row", connectors.sink),
    ("A record by hand", connectors.by_hand),
    ("An order takes stock", orders.order),
    ("Two instances, two databases: partial lists", orders.partial_lists),
    ("Two instances, one database, one sink: whole lists", orders.one_list),
]
FAULTS = (LabError, httpx.HTTPError, pymysql.Error, subprocess.TimeoutExpired)


def practice(
    lab: Lab,
    steps: Sequence[int] = (),
    out: TextIO = sys.stdout,
    *,
    keep: bool = False,
    pause: Callable[[], None] | None = None,
    agree: Callable[[str], bool] = lambda _: True,
) -> bool:
    """Run the steps (all nine by default), then remove what they created, unless *keep* is set.

    If the first step goes on from another one, and what that makes is not there, that one is run before.

    *agree* is called before anything is removed that existed before. Returns False if it refused, or if a
    step failed; after a failed step everything is left for inspection.
    """
    _check_running(lab)
    walked = list(steps or range(1, len(STEPS) + 1))
    terminal = Terminal(lab, out, pause)
    before = on_the_lab(terminal)
    first = missing(terminal, walked[0])
    run = [*first, *walked]
    if there := before & made_by(run):
        told = f"Here already, and emptied or removed by these steps: {there}."
        terminal.say(told)
        if not agree(told):
            return False
    try:
        if not _prepare(lab, terminal, first) or not all(_walk(terminal, number) for number in walked):
            terminal.say("All is left to look at. `python -m lab reset` removes it, and everything else.")
            return False
    except KeyboardInterrupt:
        terminal.say("\nStopped.")
        _end(Terminal(lab, out), run, before, keep=keep)
        raise
    _end(Terminal(lab, out), run, before, keep=keep)
    terminal.say(summary(walked))
    return True


def _check_running(lab: Lab) -> None:
    for server in (*lab.kafka.brokers, lab.mariadb):
        if not server.answers():
            raise NotRunning(server.name)
    if not lab.connect.answers():
        raise NotRunning("Kafka Connect", "up --connect")


def _prepare(lab: Lab, terminal: Terminal, first: Sequence[int]) -> bool:
    """Run the steps that the walk goes on from. They are printed only if one of them fails."""
    if not first:
        return True
    terminal.say(f"\nFirst, for the steps that you chose: {' and '.join(STEPS[one - 1][0] for one in first)}")
    out = io.StringIO()
    if all(_walk(Terminal(lab, out), number) for number in first):
        return True
    terminal.say(out.getvalue())
    return False


def _walk(terminal: Terminal, number: int) -> bool:
    """Run one step. False if it failed."""
    title, step = STEPS[number - 1]
    terminal.say(f"\n{number}. {title}\n    look at     {LOOK_AT[number]}")
    began = time.monotonic()
    try:
        step(terminal)
    except FAULTS as error:
        terminal.say(f"✘ {number}. {title}: {error}")
        for line in terminal.failures():
            terminal.say(f"  {line}")
        return False
    terminal.say(f"✔ {number}. {title} ({time.monotonic() - began:.1f} s)")
    return True


def _end(terminal: Terminal, walked: Sequence[int], before: Things, *, keep: bool) -> None:
    """Remove what the steps created. Things that they only used are kept."""
    made = made_by(walked)
    if USES_SERVICE & set(walked) and not before & SERVICE:
        made |= SERVICE
    if MAKES_TABLES & set(walked):
        made |= Things(tables=frozenset(TABLES) - before.tables)
    if keep:
        left = on_the_lab(terminal) & made
        terminal.say(f"\nLeft to look at: {left}.\nThe next practice, or `python -m lab reset`, removes it.")
        return
    terminal.say("\nRemoving what the practice made (--keep leaves it)")
    try:
        remove(terminal, made, before)
    except FAULTS as error:
        terminal.say(f"✘ Something is left: {error}. `python -m lab reset` removes everything.")
