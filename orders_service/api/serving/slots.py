"""One set of numbers for all API processes: gunicorn's hooks give each a slot (see `metrics/shared.py`)."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Any

from orders_service.metrics.shared import SharedNumbers

SHARED_MEMORY = Path("/dev/shm")
PREFIX = "orders-service-metrics-"


class Slots:
    """Gives each new process the lowest slot that no living process has."""

    def __init__(self, numbers: SharedNumbers) -> None:
        self._numbers = numbers

    @property
    def hooks(self) -> dict[str, Callable[..., None]]:
        """The server hooks of gunicorn."""
        return {"pre_fork": self._choose, "post_fork": self._take, "child_exit": self._leave}

    def _choose(self, server: Any, worker: Any) -> None:
        taken = {living.slot for living in server.WORKERS.values()}
        worker.slot = next(slot for slot in count() if slot not in taken)
        self._numbers.leave(worker.slot)  # gunicorn calls no hook when it finds that a process has vanished.

    def _take(self, _: object, worker: Any) -> None:
        self._numbers.take(worker.slot)

    def _leave(self, _: object, worker: Any) -> None:
        self._numbers.leave(worker.slot)


@contextmanager
def shared_numbers() -> Iterator[SharedNumbers]:
    """Numbers in a new folder in memory, which the process that made it removes at its end."""
    parent = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else Path(tempfile.gettempdir())
    _remove_left(parent)
    (folder, lock), this = _make(parent), os.getpid()
    try:
        yield SharedNumbers(folder)
    finally:
        if os.getpid() == this:  # gunicorn's workers leave this block, too.
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)


def _make(parent: Path) -> tuple[Path, int]:
    """A new folder and its lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        # Another server that starts just now may take it for one that was left.
        with suppress(BlockingIOError, FileNotFoundError):
            lock = _lock(folder)
            if folder.exists():
                return folder, lock
            os.close(lock)


def _lock(folder: Path) -> int:
    """Lock the folder for as long as this process or one of its children lives; `OSError` if it is locked."""
    number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(number)
        raise
    return number


def _remove_left(parent: Path) -> None:
    """Remove the folders of servers that were killed before they could."""
    for folder in parent.glob(f"{PREFIX}*"):
        with suppress(OSError):  # It is in use, or another user's.
            lock = _lock(folder)
            shutil.rmtree(folder, ignore_errors=True)
            os.close(lock)
