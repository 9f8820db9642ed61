"""Draws the road as lines of text: 80 columns and 24 rows are enough."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orders_service.commands.output import fitted
from orders_service.commands.top.glyphs import ASCII, UNICODE, Glyphs, to_ascii
from orders_service.printable import printable

Picture = Mapping[str, Any]
Line = tuple[str, tuple[str, ...]]  # A text, and its style.

BOLD, DIM, RED, GREEN = "1", "2", "31", "32"
HEAD = (("station", 9), ("per second", 10), ("waiting", 20), ("oldest", 8))
DETAIL_LINES = 3  # Of the headline.
HUNDRED = 100


@dataclass(frozen=True)
class Look:
    """How a terminal wants it: its size, its signs, and whether it shows colours."""

    columns: int = 80
    rows: int = 24
    glyphs: Glyphs = field(default=UNICODE)
    colours: bool = True

    def style(self, text: str, *codes: str) -> str:
        """*text* in a style, which never is its only meaning."""
        return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if self.colours and codes else text


def lines(picture: Picture, look: Look, *, foot: str = "", is_old: bool = False) -> list[str]:
    """The whole screen. *is_old*: the numbers are from before, and drawn dim."""
    parts: tuple[Callable[[Picture, Look], list[Line]], ...]
    parts = (_title, _headline, _line, _table, _errors, _recent, _sums)
    drawn = [each for part in parts for each in part(picture, look)]
    drawn = _squeezed(drawn, look.rows - (2 if foot else 0))
    if foot:
        drawn += [("", ()), (foot, (DIM,))]
    return [_drawn(text, (DIM,) if is_old else codes, look) for text, codes in drawn]


def _squeezed(drawn: list[Line], rows: int) -> list[Line]:
    """At most so many lines: without empty ones, the last first, and cut if that is not enough."""
    empty = [number for number, (text, _) in enumerate(drawn) if not text]
    dropped = set(empty[-(len(drawn) - rows) :]) if len(drawn) > rows else set()
    return [line for number, line in enumerate(drawn) if number not in dropped][:rows]


def _drawn(text: str, codes: tuple[str, ...], look: Look) -> str:
    text = fitted(text, look.columns).rstrip()
    return look.style(to_ascii(text) if look.glyphs is ASCII else text, *codes)


def _title(picture: Picture, look: Look) -> list[Line]:
    service = picture["service"]
    parts = [service["database"], "Kafka" if service["broker"] == "kafka" else "embedded log"]
    if service["eventsVia"] == "cdc":
        parts.append("Debezium")
    left = _plain(f"orders {service['version']}  {service['address']}  {', '.join(parts)}")
    right = f"{_clock(picture['at'])} UTC"
    return [(f"{left:<{look.columns - len(right) - 1}} {right}", (DIM,)), ("", ())]


def _headline(picture: Picture, look: Look) -> list[Line]:
    headline = picture["headline"]
    is_trouble = headline["level"] == "trouble"
    sign = look.glyphs.cross[:1] if is_trouble else look.glyphs.tick[:2]
    found: list[Line] = [(f"{sign} {_plain(headline['title'])}", (BOLD, RED) if is_trouble else (BOLD,))]
    wrapped = textwrap.wrap(_plain(headline["detail"]), look.columns - 2)
    found += [(f"  {line}", ()) for line in wrapped[:DETAIL_LINES]]
    if headline["command"]:
        found.append((f"  {look.glyphs.prompt} {_plain(headline['command'])}", (BOLD,)))
    return [*found, ("", ())]


def _line(picture: Picture, look: Look) -> list[Line]:
    """The stations on their line, which is broken behind one that is stopped."""
    step = (look.columns - 12) // 4
    text, names = "  ", "  "
    for station in picture["stations"]:
        is_last = station is picture["stations"][-1]
        line = look.glyphs.line if station["state"] == "well" else look.glyphs.broken
        text += _sign(station, look) + ("" if is_last else line * (step - 1))
        names += _plain(station["title"]) if is_last else fitted(_plain(station["title"]), step)
    return [(text, ()), (names, ()), ("", ())]


def _table(picture: Picture, look: Look) -> list[Line]:
    head = "  " + "  ".join(fitted(name, width) for name, width in HEAD) + "  handled by"
    found: list[Line] = [(head, (DIM,))]
    for station in picture["stations"]:
        codes = {"well": (), "stopped": (RED,), "unknown": (RED,)}[station["state"]]
        found.append((f"{_sign(station, look)} {_row(station)}", codes))
    return [*found, ("", ())]


def _row(station: Mapping[str, Any]) -> str:
    name = fitted(_plain(station["title"]), HEAD[0][1])
    if station["problem"]:
        return f"{name}  {_plain(station['problem'])}"
    rate = "" if station["perSecond"] is None else f"{station['perSecond']:,.1f}"
    waiting = station["waiting"]
    number = "" if waiting is None else f"{waiting['count']:,} {_plain(waiting['of'])}"
    held = " ".join(_plain(station[key]) for key in ("heldBy", "heldDetail") if station[key])
    cells = (f"{rate:>10}", fitted(number, HEAD[2][1]), f"{_age(station['oldestSeconds']):>8}", held)
    return "  ".join((name, *cells))


def _errors(picture: Picture, look: Look) -> list[Line]:
    """The newest error of each station that has one."""
    found: list[Line] = []
    for station in picture["stations"]:
        if error := station["lastError"]:
            text = f"last error  {_plain(station['title'])}, {_clock(error['at'])}: {_plain(error['text'])}"
            found.append((text, ()))
    return [*found, ("", ())] if found else []


def _recent(picture: Picture, look: Look) -> list[Line]:
    recent = picture["recent"]
    if recent is None:
        return []
    words = ("confirmed", "rejected", "cancelled", "pending")
    counts = [f"{getattr(look.glyphs, word)} {recent[word]:,} {word}" for word in words if recent[word]]
    placed = [sum(second[word] for word in words) for second in recent["bySecond"]]
    text = f"{recent['placed']:,} orders in {recent['seconds']} s  {'  '.join(counts)}"
    return [(text.rstrip(), ()), (_bars(placed, look.glyphs.bars), ())]


def _bars(values: Sequence[int], bars: str) -> str:
    most = max(values, default=0)
    return "".join(bars[-(-value * (len(bars) - 1) // most)] if most else bars[0] for value in values)


def _sums(picture: Picture, look: Look) -> list[Line]:
    found: list[Line] = []
    answers, stock, letters = picture["answers"], picture["stock"], picture["deadLetters"]
    if answers and answers["medianMs"] is not None:
        most = "99 of 100" if answers["measured"] >= HUNDRED else "all"
        times = (
            f"half within {_age(answers['medianMs'] / 1000)}, {most} within {_age(answers['p99Ms'] / 1000)}"
        )
        found.append((f"answers  {times}, the last one {_age(answers['secondsSinceLast'])} ago", ()))
    if stock:
        sign = look.glyphs.tick if stock["addsUp"] else look.glyphs.cross
        equal = "=" if stock["addsUp"] else "is not"
        total = f"{stock['stock']:,} in stock + {stock['reserved']:,} reserved {equal}"
        text = f"stock    {total} {stock['supplied']:,} supplied {sign}"
        found.append((text, (GREEN,) if stock["addsUp"] else (RED,)))
    if letters and (letters["waiting"] or letters["onHold"]):
        found.append((f"letters  {letters['waiting']:,} wait, {letters['onHold']:,} on hold", ()))
    return found


def _sign(station: Mapping[str, Any], look: Look) -> str:
    return str(getattr(look.glyphs, station["state"]))


def _age(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:,.0f} min"


def _clock(instant: str) -> str:
    return f"{datetime.fromisoformat(instant):%H:%M:%S}"


def _plain(text: str) -> str:
    return printable(str(text))
