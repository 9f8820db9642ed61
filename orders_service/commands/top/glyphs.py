"""The signs that `top` draws with, and ASCII for terminals that do not have them."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

# The kernel's console and old terminals have few glyphs.
POOR_TERMINALS = ("dumb", "linux", "vt100", "vt102", "vt220", "unknown")


@dataclass(frozen=True)
class Glyphs:
    """A sign for each thing that is drawn."""

    well: str
    stopped: str
    unknown: str
    line: str
    broken: str  # The line behind a station that is stopped.
    tick: str
    cross: str
    confirmed: str
    rejected: str
    cancelled: str
    pending: str
    bars: str  # From empty to full.
    prompt: str = "$"


UNICODE = Glyphs(
    well="●",
    stopped="✘",
    unknown="◌",
    line="━",
    broken="╌",
    tick="✔",
    cross="✘",
    confirmed="●",
    rejected="◆",
    cancelled="⊘",
    pending="○",
    bars=" ▁▂▃▄▅▆▇█",
)
ASCII = Glyphs(
    well="o",
    stopped="x",
    unknown="?",
    line="=",
    broken="-",
    tick="ok",
    cross="WRONG",
    confirmed="*",
    rejected="#",
    cancelled="/",
    pending="o",
    bars=" .:-=+*#@",
)


def of_terminal(encoding: str | None, environment: Mapping[str, str] = os.environ) -> Glyphs:
    """The glyphs of a terminal with this *encoding*."""
    locale = next((environment[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environment.get(name)), "")
    is_poor = environment.get("TERM") in POOR_TERMINALS or locale in ("C", "POSIX")
    try:
        "".join(vars(UNICODE).values()).encode(encoding or "ascii")
    except (UnicodeError, LookupError):
        return ASCII
    return ASCII if is_poor else UNICODE


def to_ascii(text: str) -> str:
    """The *text* for a terminal without glyphs: `–` becomes `-`, others `?`."""
    for sign, stand_in in (("–", "-"), ("→", ">"), ("…", ".")):
        text = text.replace(sign, stand_in)
    return text.encode("ascii", "replace").decode()
