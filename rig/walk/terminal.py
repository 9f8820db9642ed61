"""A terminal: bash on a pseudo-terminal, as a learner has it."""

import codecs
import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from signal import SIGKILL, SIGTERM

import psutil

from rig import waiting
from rig.processes import family

PROMPT = re.compile(r"\x1e(\d+)\x1e")
COLOURS = re.compile(r"\x1b\[[\d;?]*[a-zA-Z]|\r")
# Makes the pseudo-terminal the controlling one, so that Ctrl-C reaches the program in front. What is started
# in the background ignores that signal, and all that it starts would, too.
SHELL = """
import fcntl, os, signal, termios
signal.signal(signal.SIGINT, signal.SIG_DFL)
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp('bash', {})
"""
BASH = ["bash", "--noprofile", "--norc", "--noediting", "-i"]
OWN = {"PS1": "\x1e$?\x1e", "PS2": "", "TERM": "dumb", "LC_ALL": "C.UTF-8"}
ECHO, OUTPUT_FLAGS, LOCAL_FLAGS = termios.ECHO, 1, 3


class Terminal:
    """Types into bash, and keeps all that is printed. A prompt shows the last exit code."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._own, other = os.openpty()
        _without_echo(other)
        self._shell = subprocess.Popen(
            [sys.executable, "-c", SHELL.format(BASH)],
            stdin=other,
            stdout=other,
            stderr=other,
            cwd=folder,
            env={**environment, **OWN},
            start_new_session=True,
        )
        os.close(other)
        self._printed = ""
        self._at = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        waiting.await_true(lambda: self.exit_code is not None, "bash shows its prompt")
        self.skip()

    def type(self, text: str) -> None:
        """Type a text, or press a key."""
        os.write(self._own, text.encode())

    @property
    def new(self) -> str:
        """The output since the last `skip`, up to the prompt, without colours."""
        return COLOURS.sub("", PROMPT.split(self._printed[self._at :], maxsplit=1)[0])

    @property
    def exit_code(self) -> int | None:
        """The exit code of the program, or None while it runs."""
        found = PROMPT.search(self._printed, self._at)
        return int(found[1]) if found else None

    def skip(self) -> None:
        """Go on behind all output that has come."""
        self._at = len(self._printed)

    def interrupt(self) -> None:
        """End the program in front, if one still runs."""
        if self.exit_code is None:
            self.type("\x03")
            waiting.wait(lambda: self.exit_code is not None, seconds=10)

    def close(self) -> None:
        """End bash and all that it started."""
        programs = family(self._shell.pid)
        for number in (SIGTERM, SIGKILL):
            for one in reversed(programs):
                with suppress(psutil.NoSuchProcess):
                    one.send_signal(number)
            # bash itself ignores SIGTERM.
            _, alive = psutil.wait_procs(programs[1:] if number == SIGTERM else programs, waiting.seconds(10))
            if number == SIGKILL and alive:
                raise RuntimeError(f"still running: {alive}")
        self._shell.wait()
        self._reader.join(waiting.seconds(5))
        os.close(self._own)

    def _read(self) -> None:
        text = codecs.getincrementaldecoder("utf-8")(errors="replace")
        with suppress(OSError):  # EIO: nothing holds the other end any more.
            while some := os.read(self._own, 65536):
                self._printed += text.decode(some)


def _without_echo(terminal: int) -> None:
    """Switch the echo of typed text off, and make the terminal so wide that no line is wrapped."""
    modes = termios.tcgetattr(terminal)
    modes[OUTPUT_FLAGS] &= ~termios.ONLCR
    modes[LOCAL_FLAGS] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSANOW, modes)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 1000, 0, 0))
