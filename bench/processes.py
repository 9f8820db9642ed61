"""Processes that are measured: their processor time and memory, children and all."""

import os
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
STOP_SECONDS = 20
START_SECONDS = 30


@dataclass
class Process:
    """A process and those it has started."""

    name: str
    command: Sequence[str]
    environment: dict[str, str]
    log: Path
    handle: "subprocess.Popen[bytes] | None" = None

    def start(self, answers: Callable[[], bool] = lambda: True) -> None:
        """Start it, and wait until it *answers*."""
        with self.log.open("wb") as log:
            self.handle = subprocess.Popen(
                self.command, env=os.environ | self.environment, stdout=log, stderr=log
            )
        deadline = time.monotonic() + START_SECONDS
        while not answers():
            if self.handle.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} did not start:\n{self.log.read_text()[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Ask it to end, then end it."""
        if self.handle is None:
            return
        self.handle.terminate()
        try:
            self.handle.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.handle.kill()
            self.handle.wait()
        self.handle = None

    @property
    def pids(self) -> list[int]:
        assert self.handle is not None
        return family(self.handle.pid)

    def cpu(self) -> float:
        """Seconds of processor time until now."""
        return sum(cpu(pid) for pid in self.pids)

    def memory(self) -> list[int]:
        """Resident bytes of each process, the parent first."""
        return [memory(pid) for pid in self.pids]


def family(pid: int) -> list[int]:
    """A process and all that it has started, the parent first."""
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    children = [int(child) for child in listed.read_text().split()] if listed.exists() else []
    return [pid, *(member for child in children for member in family(child))]


def cpu(pid: int) -> float:
    """Seconds of processor time, its own and the system's for it."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory(pid: int) -> int:
    """Resident bytes; of what processes share, each its part."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
