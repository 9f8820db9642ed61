"""A person at a terminal: types into a program on a pseudo-terminal, and reads what it prints."""

import fcntl
import os
import re
import select
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from rig import waiting

# Makes the pseudo-terminal the controlling terminal, so that Ctrl-C reaches the program.
AT_TERMINAL = """
import fcntl, os, signal, sys, termios
os.setsid()
signal.signal(signal.SIGINT, signal.SIG_DFL)  # In the background it would be ignored.
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""
ROWS, COLUMNS = 50, 1000  # So wide that no typed line is wrapped.
CTRL_C, CTRL_D = "\x03", "\x04"


class Typist:
    """Types lines, and reads until something appears. Raises if it does not appear in time."""

    def __init__(self, terminal: int, process: "subprocess.Popen[bytes]") -> None:
        self._terminal, self._process = terminal, process
        self._unread = ""
        self.everything = ""

    def type(self, text: str) -> None:
        os.write(self._terminal, text.encode())

    def read_until(self, pattern: str, *, seconds: float = 60) -> str:
        """The output up to the end of the first match of *pattern*."""
        deadline = waiting.Deadline(seconds)
        while (found := re.search(pattern, self._unread)) is None:
            assert not deadline.over, f"{pattern!r} did not appear in {deadline}: {self._unread!r}"
            assert self._read(), f"the program ended before {pattern!r} appeared: {self._unread!r}"
        seen, self._unread = self._unread[: found.end()], self._unread[found.end() :]
        return seen

    def end(self, *, seconds: float = 60) -> int:
        """Read to the end of the output; return the exit code."""
        deadline = waiting.Deadline(seconds)
        while self._read():
            assert not deadline.over, f"the program does not end: {self._unread!r}"
        return self._process.wait(waiting.seconds(seconds))

    def _read(self) -> bool:
        """Read what is there, or wait a moment for it. False at the end."""
        if not select.select([self._terminal], [], [], 0.1)[0]:
            return True
        try:
            data = os.read(self._terminal, 65536)
        except OSError:  # Linux reports the end of the other side as EIO.
            return False
        text = data.decode(errors="replace").replace("\r\n", "\n")
        self._unread += text
        self.everything += text
        return bool(data)


@contextmanager
def at_terminal(words: Sequence[str], environment: Mapping[str, str] | None = None) -> Iterator[Typist]:
    """Run a program on a pseudo-terminal for as long as the block lasts."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    env = {**os.environ, "TERM": "dumb", **(environment or {})}
    command = [sys.executable, "-c", AT_TERMINAL, *words]
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=env)
    os.close(theirs)
    try:
        yield Typist(ours, process)
    finally:
        os.close(ours)  # Hangs up: the program and what it started receive SIGHUP.
        try:
            process.wait(waiting.seconds(20))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
