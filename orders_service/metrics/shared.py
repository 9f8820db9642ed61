"""The numbers of several processes, added up: each process counts in files, and any of them reads all files.

This is the multiprocess mode of prometheus_client, with slots instead of process ids. A process that takes
the slot of one that was killed goes on with its numbers. So no number gets lost, and there are only as many
files as processes that live at the same time.

Nothing private of prometheus_client is used elsewhere. The library decides at its import whether to count in
files; here a process decides after its fork. The library's lock is a lock of threads, made before or after
gevent patches them: the greenlets of a process never wait for it, because no greenlet switches while one
holds it (its work is on memory, and sometimes on a file). Nothing may count in `__del__` or in a signal
handler: it could run while its own thread holds the lock.
"""

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from prometheus_client import Metric, values
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.registry import Collector

from orders_service.metrics import REGISTRY

CHECKED = "0.26.0"  # The version of prometheus_client whose insides are used here.
FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # The environment variable in which the library looks for the folder.


class SharedNumbers(Collector):
    """The numbers of all processes that count in *folder*. A process counts there after `take`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def take(self, slot: int) -> None:
        """Count in the files of *slot* from now on, and go on with the numbers that are there.

        No two living processes may have the same slot.
        """
        os.environ[FOLDER] = str(self._folder)
        values.ValueClass = values.MultiProcessValue(process_identifier=lambda: slot)  # type: ignore[no-untyped-call]
        for metric in _all():
            metric._metric_init()  # type: ignore[no-untyped-call]

    def leave(self, slot: int) -> None:
        """Remove what counts only while the process of *slot* lives: its `live…` gauges."""
        mark_process_dead(slot, str(self._folder))  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Metric]:
        """The families, with their values added up.

        With 150 routes, methods and statuses in two processes it takes 50 ms. So it pauses between files and
        between families: with greenlets, the process serves its requests meanwhile.
        """
        families: Iterable[Metric] = MultiProcessCollector.merge(self._files())  # type: ignore[no-untyped-call]
        for family in families:
            yield family
            time.sleep(0)

    def _files(self) -> Iterator[str]:
        for path in sorted(self._folder.glob("*.db")):
            if _size(path):  # A process that has just created a file may not have written its head yet.
                yield str(path)
                time.sleep(0)


def label_names(family: MetricWrapperBase | Metric) -> tuple[str, ...]:
    """The names of the labels that each series of the family has."""
    names: Iterable[str] = getattr(family, "_labelnames", ())
    return tuple(names)


def _all() -> Iterator[MetricWrapperBase]:
    """The families without labels, and the children of those with labels."""
    for family in list(REGISTRY._collector_to_names):
        assert isinstance(family, MetricWrapperBase)
        is_parent = family._is_parent()  # type: ignore[no-untyped-call]
        yield from family._metrics.values() if is_parent else [family]


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:  # A process has ended, and its gauges were removed.
        return 0
