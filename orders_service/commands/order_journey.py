"""Prints one order's journey, in lines of at most 80 columns; a longer word has a line of its own."""

import sys
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import click
from sqlalchemy import Engine

from orders_service.broker_client import broker
from orders_service.database.engines import open_engine
from orders_service.operations.journey.entry import RECORD, Entry
from orders_service.operations.journey.journey import Journey, journey
from orders_service.operations.journey.reading import Sources, read
from orders_service.operations.journey.searches import Searches
from orders_service.printable import printable
from orders_service.settings import Settings

WIDTH = 80
LEFT = 18  # For the time and the gap, whose longest text is `0 (clocks differ)`.
INDENT = " " * (LEFT + 3)
VALUE = 400  # Characters of a record's value. `--json` prints all of it.
# By mark: on a terminal that can show them, and on others.
SHAPES = {
    "passed": "○o",
    "confirmed": "●*",
    "rejected": "◆#",
    "cancelled": "⊘/",
    "stopped": "☒x",
    "hold": "‖=",
    "repeat": "↻>",
    "missing": "·.",
}


def read_journey(settings: Settings, order_id: str) -> Journey:
    """The journey of an order; raises `OrderNotFound`. Without a catalog database it is told without that."""
    with ExitStack() as stack:

        def engine(url: str) -> Engine:
            found = open_engine(url, pool_size=1)
            stack.callback(found.dispose)
            return found

        orders, catalog = engine(settings.orders_database_url), None
        with suppress(FileNotFoundError):
            catalog = engine(settings.catalog_database_url)
        sources = Sources(settings, orders, catalog, lambda: broker(settings))
        return journey(read(sources, order_id, searches=Searches()))


def print_journey(told: Journey) -> None:
    """Print the title and the entries, each with its time in UTC and the gap to the one before."""
    plain = not _can_show("".join(SHAPES.values()))
    for text in (told.title, told.subtitle):
        click.echo("\n".join(_wrapped(text, WIDTH)))
    if told.trace_id:
        click.echo(f"Trace id {told.trace_id}")
    day = None
    for entry in told.entries:
        if entry.at is not None and entry.at.date() != day:
            day = entry.at.date()
            click.echo(f"\n{day}, UTC")
        for line in _lines(entry, SHAPES[entry.mark][plain]):
            click.echo(line.rstrip())


def _lines(entry: Entry, shape: str) -> Iterator[str]:
    """The lines of one entry: its time and title, and beside the gap its text."""
    gap = entry.gap or ""
    head = f"{_time(entry) or gap:<{LEFT}}{shape}  {entry.title}"
    source = f"[{entry.source}]"
    yield f"{head}  {source:>{WIDTH - len(head) - 2}}" if len(head) + len(source) + 2 <= WIDTH else head
    below = gap if entry.at is not None else ""
    for text in _texts(entry):
        for line in _wrapped(text, WIDTH - len(INDENT)):
            yield f"{below:<{LEFT}}   {line}"
            below = ""
    if below:
        yield below


def _wrapped(text: str, width: int) -> list[str]:
    """The lines of *text*, broken at spaces only: an id or a JSON text can be copied whole."""
    return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)


def _texts(entry: Entry) -> Iterator[str]:
    if entry.place:
        yield entry.place
    if entry.detail:
        yield entry.detail
    for name, value in entry.facts:
        yield f"{name}: {value}"
    if entry.record and entry.mark != "repeat":
        yield f"key: {_short(entry.record['key'])}"
        yield f"value: {_short(entry.record['value'])}"


def _short(text: str | None) -> str:
    if text is None:
        return "none"
    return printable(text if len(text) <= VALUE else f"{text[:VALUE]}…")


def _time(entry: Entry) -> str:
    """The time of day: tenths of a millisecond of a row, milliseconds of a record."""
    if entry.at is None:
        return ""
    fraction = entry.at.strftime("%f")
    return f"{entry.at:%H:%M:%S}.{fraction[: 3 if entry.digits == RECORD else 4]}"


def _can_show(text: str) -> bool:
    """Whether standard output can encode *text*."""
    try:
        text.encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return True
