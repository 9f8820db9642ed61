"""The output of the lab's command line: tables and `export` lines."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple, dataclass

from .server import Server


@dataclass(frozen=True)
class Report:
    """The status of a server."""

    name: str
    where: str
    state: str
    pid: int | None
    log: str


def reports(servers: Iterable[Server]) -> list[Report]:
    return [Report(one.name, one.where, one.state, one.pid, str(one.log)) for one in servers]


def table(found: Iterable[Report]) -> str:
    """Reports as a table in plain text."""
    rows = [["what", "where", "state", "pid", "log"]]
    rows += [["-" if value is None else str(value) for value in astuple(one)] for one in found]
    return columns(rows)


def columns(rows: Sequence[Sequence[str]]) -> str:
    """Rows of text, each column as wide as its widest cell."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def exports(environment: Mapping[str, str]) -> list[str]:
    """The environment as `export` lines for a shell."""
    return [f"export {name}={shlex.quote(value)}" for name, value in environment.items()]
