"""One process and its children: start, signal and stop it; measure its CPU time and memory."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGKILL, SIGSTOP, SIGTERM, Signals

import psutil

from lab.server import await_stop
from orders_service.settings import FIELDS
from rig import waiting

START_SECONDS = 30
STOP_SECONDS = 20
TAIL = 2000  # Characters of a log that an error shows.
# Our environment without settings of the service.
UNSET = {
    name: value for name, value in os.environ.items() if name.removesuffix("_FILE").lower() not in FIELDS
}


def service(*words: str) -> list[str]:
    """The command line that runs `orders-service WORD …`."""
    return [sys.executable, "-m", "orders_service", *words]


def ended(*words: str, cwd: str = "", **environment: str) -> "subprocess.CompletedProcess[str]":
    """Run a command of the service to its end. It has no settings but those in *environment*."""
    return subprocess.run(
        service(*words),
        env=UNSET | environment,
        cwd=cwd or None,
        capture_output=True,
        text=True,
        errors="backslashreplace",
        timeout=waiting.seconds(60),
    )


@dataclass
class Process:
    """A process that writes its output to *log*. It has no settings but those in *environment*."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    log: Path
    folder: Path | None = None  # The folder in which it runs; None: that of this process.
    _handle: "subprocess.Popen[bytes] | None" = field(default=None, init=False)

    def start(self, is_ready: Callable[[], bool] = lambda: True) -> None:
        """Start the process, and wait until *is_ready*."""
        with self.log.open("ab") as log:
            environment = UNSET | self.environment
            self._handle = subprocess.Popen(
                self.command, env=environment, cwd=self.folder, stdout=log, stderr=log
            )
        started = waiting.wait(lambda: self.exit_code is not None or is_ready(), seconds=START_SECONDS)
        if not started or self.exit_code is not None:
            self.end()
            raise RuntimeError(f"{self.name} did not start:\n{self.tail}")

    @property
    def handle(self) -> "subprocess.Popen[bytes]":
        assert self._handle is not None, f"{self.name} was never started"
        return self._handle

    @property
    def pid(self) -> int:
        return self.handle.pid

    @property
    def exit_code(self) -> int | None:
        """None while the process runs; negative if a signal killed it."""
        return self.handle.poll()

    @property
    def tail(self) -> str:
        """The end of the log."""
        return self.log.read_text()[-TAIL:] if self.log.exists() else ""

    def signal(self, number: Signals) -> None:
        """Send a signal to the process and, before it, to its children. After SIGSTOP none of them runs."""
        for one in reversed(family(self.pid)):
            with suppress(psutil.NoSuchProcess):
                one.send_signal(number)
                if number == SIGSTOP:
                    await_stop(one.pid)

    def stop(self, *, seconds: float = STOP_SECONDS, number: Signals = SIGTERM) -> int:
        """Send a signal to the process, not to its children, and wait for the end; the exit code."""
        self.handle.send_signal(number)
        return self.wait(seconds)

    def wait(self, seconds: float) -> int:
        """Wait until the process has ended; the exit code."""
        return self.handle.wait(waiting.seconds(seconds))

    def kill(self) -> None:
        """Send SIGKILL to the process and its children."""
        self.signal(SIGKILL)
        self.wait(STOP_SECONDS)

    def end(self) -> None:
        """Stop the process if it runs. Kill it if it does not stop in time."""
        if self._handle is None or self.exit_code is not None:
            return
        try:
            self.stop()
        except subprocess.TimeoutExpired:
            self.kill()

    def cpu(self) -> float:
        """Seconds of CPU time so far, of the process and its children."""
        return sum(cpu(one.pid) for one in family(self.pid))

    def memory(self) -> list[int]:
        """Bytes of memory of each process, the parent first. PSS divides shared pages among the processes."""
        return [one.memory_full_info().pss for one in family(self.pid)]


def family(pid: int) -> list[psutil.Process]:
    """A process and its descendants, the parent first. Empty if the process does not exist."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def children(pid: int) -> list[int]:
    """The pids of the descendants of a process."""
    return [one.pid for one in family(pid)[1:]]


def cpu(pid: int) -> float:
    """Seconds of CPU time of one process, in user mode and in the kernel."""
    times = psutil.Process(pid).cpu_times()
    return times.user + times.system
