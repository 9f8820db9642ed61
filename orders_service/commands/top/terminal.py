"""The terminal while `top` draws: another screen, no cursor, and single keys."""

import os
import select
import shutil
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"  # The second screen without a cursor, and back.
HOME, REST_OF_LINE, REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"


@contextmanager
def borrowed() -> Iterator[None]:
    """The terminal for the block. Afterwards it shows what it showed before."""
    has_keys = sys.stdin.isatty()
    before = termios.tcgetattr(sys.stdin) if has_keys else None
    try:
        if has_keys:
            tty.setcbreak(sys.stdin)
        _write(ENTER)
        yield
    finally:
        _write(LEAVE)
        if before is not None:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def key(seconds: float) -> str:
    """The key that is pressed within *seconds*; empty if none is, and `q` if the input has ended."""
    if not sys.stdin.isatty():
        select.select([], [], [], seconds)
        return ""
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    if not ready:
        return ""
    return os.read(sys.stdin.fileno(), 64).decode("ascii", "replace")[:1] or "q"


def size() -> tuple[int, int]:
    """The columns and rows of the terminal now."""
    found = shutil.get_terminal_size((80, 24))
    return found.columns, found.lines


def draw(lines: Sequence[str]) -> None:
    """Draw *lines* over what was drawn before."""
    _write(HOME + "\r\n".join(f"{line}{REST_OF_LINE}" for line in lines) + REST_OF_SCREEN)


def _write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()
