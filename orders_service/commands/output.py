"""The output of commands: an aligned table for people, a JSON array for scripts."""

import json
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import click

from orders_service.printable import printable

BLOCK = 1000  # Rows that are aligned together. A longer table needs no more memory.
SHORT = 40  # Characters of a text that may be cut.


def print_json(objects: Iterable[Mapping[str, Any]]) -> None:
    """Print a JSON array of *objects*, one at a time, so that a long one needs little memory."""
    opening = "["
    for each in objects:
        click.echo(opening + json.dumps(each), nl=False)
        opening = ","
    click.echo("[]" if opening == "[" else "]")


def print_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> bool:
    """Print *rows* under *head*, aligned: numbers to the right. Without rows, print nothing; return False."""
    following = iter(rows)
    widths = [len(name) for name in head]
    is_first = True
    while block := list(islice(following, BLOCK)):
        texts = [[printable(str(value)) for value in row] for row in block]
        widths = [max(width, *map(_width, column)) for width, *column in zip(widths, *texts, strict=True)]
        to_the_right = [isinstance(value, int) for value in block[0]]
        for line in [list(head), *texts] if is_first else texts:
            cells = zip(line, widths, to_the_right, strict=True)
            click.echo("  ".join(_padded(*cell) for cell in cells).rstrip())
        is_first = False
    return not is_first


def short(text: str) -> str:
    """*text*, cut to `SHORT` characters."""
    return text if len(text) <= SHORT else f"{text[: SHORT - 1]}…"


def fitted(text: str, columns: int) -> str:
    """*text* in exactly so many columns of a terminal: cut, or filled with spaces."""
    if _width(text) > columns:
        while text and _width(text) > columns - 1:
            text = text[:-1]
        text += "…"
    return text + " " * (columns - _width(text))


def instant(value: datetime | None, *, timespec: str = "milliseconds") -> str:
    """A time for people, in UTC: `2026-11-24 07:06:15.292Z`. Empty for None."""
    return "" if value is None else f"{value.replace(tzinfo=None).isoformat(' ', timespec)}Z"


def json_instant(value: datetime | None) -> str | None:
    """A time for scripts, as the API writes it: `2026-11-24T07:06:15.292+00:00`."""
    return None if value is None else value.isoformat(timespec="milliseconds")


def _padded(text: str, width: int, to_the_right: bool) -> str:
    padding = " " * (width - _width(text))
    return padding + text if to_the_right else text + padding


def _width(text: str) -> int:
    """The columns that *text* takes in a terminal: two for each Chinese, Japanese or Korean character."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(each) in "WF" for each in text)
    return len(text) + wide - sum(unicodedata.combining(each) > 0 for each in text)
