"""The `console` blocks of a page: what is typed, in which terminal, and what is shown."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

FENCE = re.compile(r"```console(?: (\w[\w-]*))?$")
INPUT = re.compile(r"(?:> |MariaDB \[[^]]*\]> )(.*)")
KEYS = {"^C": "\x03", "^D": "\x04"}
FIRST = "first"
EVERY = "every"
NEW = "new"


class Kind(Enum):
    """The way in which a step reaches its terminal."""

    COMMAND = auto()
    INPUT = auto()
    KEY = auto()
    LOOK = auto()


@dataclass
class Step:
    """Something that is typed, and the output that the page shows for it."""

    line: int
    kind: Kind
    typed: str
    shown: list[str] = field(default_factory=list)


@dataclass
class Block:
    """One block of a page, for one terminal."""

    line: int
    terminal: str
    steps: list[Step] = field(default_factory=list)


def blocks(page: str) -> list[Block]:
    """The console blocks of a page, in their sequence."""
    found: list[Block] = []
    inside = False
    lines = enumerate(page.splitlines(), 1)
    for number, line in lines:
        if inside and line.rstrip() == "```":
            inside = False
        elif inside:
            _add(found[-1], number, line, lines)
        elif fence := FENCE.match(line.rstrip()):
            inside = True
            found.append(Block(number, fence[1] or FIRST))
    return found


def _add(block: Block, number: int, line: str, following: Iterator[tuple[int, str]]) -> None:
    if line.startswith("$ "):
        typed = line[2:]
        while typed.endswith("\\"):
            typed = f"{typed}\n{next(following)[1]}"
        block.steps.append(Step(number, Kind.COMMAND, typed))
    elif line in KEYS:
        block.steps.append(Step(number, Kind.KEY, KEYS[line]))
    elif typed_into := INPUT.match(line):
        block.steps.append(Step(number, Kind.INPUT, typed_into[1]))
    else:
        if not block.steps:
            block.steps.append(Step(number, Kind.LOOK, ""))
        block.steps[-1].shown.append(line)
