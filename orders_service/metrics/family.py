"""CPU time, memory and start of a server with several processes, together: as one process has them."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

PROC = Path("/proc")
TICKS = os.sysconf("SC_CLK_TCK")  # In a second.
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True)
class Status:
    """What `/proc/PID/stat` says about a process; *cpu_ticks* are also those of its children that ended."""

    cpu_ticks: int
    started_ticks: int  # Since the machine was started.
    pages: int

    @classmethod
    def of(cls, pid: int) -> "Status":
        """Read it; raises `OSError` if the process has ended."""
        # The name of the program is in parentheses, and may have any character.
        values = (PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
        return cls(sum(map(int, values[11:15])), int(values[19]), int(values[21]))


class ProcessFamily(Collector):
    """Collects the numbers of the main process and of all its children.

    Memory that several processes share is counted for each of them.
    """

    def __init__(self, main: Callable[[], int] = os.getppid) -> None:
        """*main* gives the pid of the main process: in its children, that of the parent."""
        self._main = main

    def collect(self) -> Iterator[Metric]:
        """The metrics, under the names that every process has; none where there is no `/proc`."""
        pid = self._main()
        try:
            main = Status.of(pid)
            children = (PROC / str(pid) / "task" / str(pid) / "children").read_text().split()
            machine = (PROC / "stat").read_text()
        except OSError:
            return
        family = [main, *_living(map(int, children))]
        cpu = sum(each.cpu_ticks for each in family) / TICKS
        memory = sum(each.pages for each in family) * PAGE_BYTES
        booted = next(int(line.split()[1]) for line in machine.splitlines() if line.startswith("btime"))
        yield CounterMetricFamily("process_cpu_seconds", "CPU time of all processes of the server.", cpu)
        yield GaugeMetricFamily(
            "process_resident_memory_bytes", "Resident memory of all processes of the server.", memory
        )
        yield GaugeMetricFamily(
            "process_start_time_seconds",
            "Start time of the main process since unix epoch in seconds.",
            booted + main.started_ticks / TICKS,
        )


def _living(pids: Iterator[int]) -> Iterator[Status]:
    for pid in pids:
        try:
            yield Status.of(pid)
        except OSError:  # It has just ended: its time is now its parent's.
            continue
