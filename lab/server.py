"""A server process that keeps running after the command that started it. Later commands find it again."""

import os
import shutil
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TextIO

from .errors import PortTaken, ServerDied
from .ports import HOST, is_free
from .private import opened, private

START_SECONDS = 60.0
STOPPED_SECONDS = 5.0
PAUSE = 0.03
# Starts the server as a detached process. The process writes its own pid to the pid file and then executes
# the server, so that a pid file always exists while a server runs. Only the owner may read its files.
DETACHED = ["/bin/sh", "-c", 'umask 077; "$@" &', "sh", "/bin/sh", "-c", 'echo $$ > "$0" && exec "$@"']


class Server(ABC):
    """One process with a folder, a log and a pid file. Signals are sent only to a process of this folder."""

    stop_seconds = 15.0

    def __init__(self, name: str, home: Path, ports: tuple[int, ...]) -> None:
        self.name, self.ports = name, ports
        self.folder = home / name
        self.log = home / f"{name}.log"
        self._pid_file = home / f"{name}.pid"

    @property
    def stage(self) -> int:
        """Servers of one stage start at once, those of the next one after them; they stop in reverse."""
        return 0

    @property
    def where(self) -> str:
        return f"{HOST}:{self.ports[0]}"

    @property
    @abstractmethod
    def mark(self) -> str:
        """The argument that identifies this server's command line: a path in its folder."""

    @abstractmethod
    def fetch(self, out: TextIO) -> None:
        """Download the server's files if they are missing, with a progress line on *out*."""

    @abstractmethod
    def prepare(self) -> None:
        """Write the configuration, and create the data folder if it does not exist."""

    @abstractmethod
    def command(self) -> list[str]: ...

    @abstractmethod
    def answers(self) -> bool:
        """Whether the server answers a request that it can answer only when it is ready."""

    def environment(self) -> Mapping[str, str]:
        return {}

    @property
    def pid(self) -> int | None:
        """The pid of the running server, or None. A stale pid file does not count.

        A server whose pid file was removed, perhaps with all of `var`, is found by its working directory and
        its arguments.
        """
        pid = self._noted_pid
        if pid is None:
            return _process_in(self.folder, self.mark)
        return pid if pid and self.mark in command_line(pid) else None

    @property
    def state(self) -> str:
        if self.pid is None:
            return "stopped"
        return "answers" if self.answers() else "does not answer"

    def start(self) -> None:
        """Start the server if it is down, and wait until it answers."""
        if self._noted_pid is None:
            self.kill()  # A server without a pid file runs in a folder that was removed.
        if self.pid is None:
            self._launch()
        if not within(START_SECONDS, lambda: self._has_ended or self.answers()):
            raise ServerDied(self.name, "does not answer", self.log, self.last_words())
        if self._has_ended:
            raise ServerDied(self.name, "stopped while it started", self.log, self.last_words())

    def stop(self) -> None:
        """Stop the server and wait. If it does not end in time, kill it."""
        if self.signal(signal.SIGTERM):
            within(self.stop_seconds, lambda: self._is_gone)
        self.kill()

    def kill(self) -> None:
        """Kill the server with SIGKILL, as in a crash."""
        if self.signal(signal.SIGKILL):
            within(self.stop_seconds, lambda: self._is_gone)
        self._pid_file.unlink(missing_ok=True)

    def signal(self, number: signal.Signals) -> bool:
        """Send a signal to the server. False if it is down. After SIGSTOP none of its threads runs."""
        pid = self.pid
        if pid is None:
            return False
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            return False
        if number == signal.SIGSTOP:
            await_stop(pid)
        return True

    def wipe(self) -> None:
        """Stop the server and remove its data and its log."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.log.unlink(missing_ok=True)

    def last_words(self) -> str:
        """The last error in the log, or its last line."""
        try:
            lines = self.log.read_text(errors="replace").splitlines()[-50:]
        except OSError:
            return ""
        said = [line.strip() for line in lines if line.strip()]
        errors = [line for line in said if "ERROR" in line or "FATAL" in line]
        return (errors or said or [""])[-1][:300]

    @property
    def _noted_pid(self) -> int | None:
        try:
            return int(self._pid_file.read_text())
        except (OSError, ValueError):
            return None

    @property
    def _is_gone(self) -> bool:
        """Whether the process has ended and its ports are free, which takes a moment longer."""
        return self.pid is None and all(map(is_free, self.ports))

    @property
    def _has_ended(self) -> bool:
        """Whether the process has ended. It is checked for 0.3 s: during exec the command line is empty."""
        return self._noted_pid is not None and not within(0.3, lambda: self.pid is not None)

    def _launch(self) -> None:
        for port in self.ports:
            if not within(1, partial(is_free, port)):
                raise PortTaken(self.name, port)
        private(self.folder)
        self.prepare()
        self._pid_file.unlink(missing_ok=True)
        with opened(self.log) as log:
            subprocess.run(
                [*DETACHED, str(self._pid_file), *self.command()],
                cwd=self.folder,
                env={**os.environ, **self.environment()},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                check=True,
            )


def command_line(pid: int) -> list[str]:
    """The arguments of a process; empty if the process does not exist or has ended."""
    if Path("/proc/self").exists():
        try:
            return Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
        except OSError:
            return []
    ps = ["ps", "-ww", "-o", "args=", "-p", str(pid)]
    return subprocess.run(ps, capture_output=True, text=True, check=False).stdout.split()


def await_stop(pid: int) -> None:
    """Wait until SIGSTOP has stopped every thread of a process: they run on for some milliseconds."""
    if not within(STOPPED_SECONDS, lambda: all(state in "TtZX" for state in _thread_states(pid))):
        raise TimeoutError(f"process {pid} still runs {STOPPED_SECONDS:.0f} s after SIGSTOP")


def _thread_states(pid: int) -> list[str]:
    """The state of each thread, as in proc(5). Empty if the process has ended, and without /proc."""
    states = []
    for stat in Path(f"/proc/{pid}/task").glob("*/stat"):
        with suppress(OSError):  # The thread has ended.
            states.append(stat.read_text().rpartition(") ")[2][0])
    return states


def _process_in(folder: Path, argument: str) -> int | None:
    """The pid of the process with this argument and the working directory *folder*, which may be deleted.

    None if there is no such process, or no /proc.
    """
    for one in Path("/proc").glob("[0-9]*"):
        try:
            works_in = os.readlink(one / "cwd").removesuffix(" (deleted)")
        except OSError:
            continue
        if works_in == str(folder) and argument in command_line(int(one.name)):
            return int(one.name)
    return None


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Wait until *condition* is true. False if it is not true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE)
    return True
