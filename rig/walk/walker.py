"""The walk: each step of a page, typed in its terminal, and its output compared."""

import re
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from rig import waiting

from .checkout import Checkout
from .comparison import Names
from .page import EVERY, FIRST, NEW, Block, Kind, Step
from .terminal import Terminal

STEP_SECONDS = 60
# Commands that only read: they are typed again until they show what the page shows, as a learner does.
READS = re.compile(
    r"curl -s \S+(?: \|.*)?$|.* -e \"(?:SELECT|SHOW) .*|.* connectors status .*|.* --(?:describe|list)\b.*",
    re.DOTALL,
)
AGAIN_SECONDS = 0.5
# The prompts of the console producer and of MariaDB's client.
PROMPTS = re.compile(r"^(?:>+|MariaDB \[[^]]*\]> )+")


@dataclass
class Difference:
    """A step whose output, or whose exit code, is not what the page shows."""

    line: int
    typed: str
    shown: Sequence[str]
    came: Sequence[str]
    exit_code: int | None

    def __str__(self) -> str:
        ended = "still runs" if self.exit_code is None else f"ended with {self.exit_code}"
        lines = [f"line {self.line}: {self.typed!r} {ended}", "the page shows:", *self.shown]
        return "\n  ".join([*lines, "it printed:", *self.came])


def walk(
    blocks: Sequence[Block], folder: Path, tell: Callable[[Step, Sequence[str]], object] = lambda *_: None
) -> list[Difference]:
    """Type all *blocks* in a new checkout with a new lab; the differences.

    *tell* is called with each step and the lines that it printed.
    """
    with closing(Checkout(folder)) as checkout, closing(Terminals(checkout, blocks, tell)) as terminals:
        for block in blocks:
            terminals.follow(block)
    return terminals.differences


class Terminals:
    """The terminals of a walk, by name."""

    def __init__(
        self, checkout: Checkout, blocks: Sequence[Block], tell: Callable[[Step, Sequence[str]], object]
    ) -> None:
        self._checkout = checkout
        self._every = next((block for block in blocks if block.terminal == EVERY), None)
        self._names = Names(checkout.names)
        self._open: dict[str, Terminal] = {}
        self.differences: list[Difference] = []
        self._tell = tell

    def follow(self, block: Block) -> None:
        """Type a block. The block `every` is typed in all open terminals."""
        if block.terminal == EVERY:
            for terminal in self._open.values():
                self._type_all(block, terminal, named=False)
            return
        if block.terminal not in self._open:
            opened = Terminal(self._checkout.folder, self._checkout.environment)
            self._open[block.terminal] = opened
            if self._every and block.line > self._every.line and not block.terminal.startswith(NEW):
                self._type_all(self._every, opened, named=False)
        self._type_all(block, self._open[block.terminal], named=block.terminal != FIRST)

    def close(self) -> None:
        """Close all terminals, even if one of them raises an error."""
        with ExitStack() as stack:
            for terminal in self._open.values():
                stack.callback(terminal.close)

    def _type_all(self, block: Block, terminal: Terminal, *, named: bool) -> None:
        for number, step in enumerate(block.steps):
            rest = block.steps[number + 1 :]
            goes_on = rest[0].kind in (Kind.INPUT, Kind.KEY) if rest else named and step.kind is not Kind.KEY
            self._type(step, terminal, may_run=goes_on)

    def _type(self, step: Step, terminal: Terminal, *, may_run: bool) -> None:
        again = step.kind is Kind.COMMAND and bool(step.shown) and READS.fullmatch(step.typed)
        deadline = waiting.Deadline(STEP_SECONDS)
        while True:
            if step.kind is not Kind.LOOK:
                terminal.skip()
                terminal.type(self._names.replaced(step.typed) + ("" if step.kind is Kind.KEY else "\n"))
            self._await(step, terminal, may_run=may_run)
            holds = self._holds(step, terminal, may_run=may_run)
            if holds or not again or deadline.over or terminal.exit_code is None:
                break
            time.sleep(AGAIN_SECONDS)
        came = _lines(step, terminal)
        if not holds:
            self.differences.append(Difference(step.line, step.typed, step.shown, came, terminal.exit_code))
            terminal.interrupt()
        self._tell(step, came)
        if step.kind is Kind.LOOK or step.shown:
            terminal.skip()

    def _await(self, step: Step, terminal: Terminal, *, may_run: bool) -> None:
        """Wait until the program has ended or, if it *may_run* on, has shown all that the page shows."""
        deadline = waiting.Deadline(STEP_SECONDS)
        while terminal.exit_code is None and not deadline.over:
            if may_run and self._holds(step, terminal, may_run=True):
                return
            time.sleep(waiting.PAUSE)

    def _holds(self, step: Step, terminal: Terminal, *, may_run: bool) -> bool:
        """Whether the page is right about this step."""
        came = _lines(step, terminal)
        if terminal.exit_code is None:
            return may_run and self._names.match(step.shown, came, complete=False)
        if step.shown:
            return self._names.match(step.shown, came, complete=True)
        return terminal.exit_code == 0 or step.kind is not Kind.COMMAND


def _lines(step: Step, terminal: Terminal) -> list[str]:
    """The lines that a program has printed, without its prompts and without an echo of what was typed."""
    lines = [PROMPTS.sub("", line).rstrip() for line in terminal.new.splitlines()]
    return [line for line in lines if line and (line != step.typed or step.kind is not Kind.INPUT)]
