"""The relays and consumers of `run`, each on a thread beside gunicorn's."""

import threading
import time
from dataclasses import dataclass, field

from orders_service import processes
from orders_service.processes import WORKERS
from orders_service.settings import Settings
from orders_service.workers import loop
from orders_service.workers.build import build

STOP_SECONDS = 8
POLL_SECONDS = 0.2


@dataclass
class WorkerThread:
    """A worker on its thread."""

    process: processes.Worker
    settings: Settings
    ending: loop.Stop = field(default_factory=loop.Stop)

    def __post_init__(self) -> None:
        worker = build(self.process, self.settings, poll_seconds=POLL_SECONDS)
        self._thread = threading.Thread(
            target=loop.repeat_steps,
            args=(worker, self.process.command, self.ending),
            kwargs={"step_seconds": self.process.step_seconds},
            name=self.process.command,
            daemon=True,
        )
        self._thread.start()

    @property
    def runs(self) -> bool:
        return self._thread.is_alive()

    def join(self, deadline: float | None = None) -> None:
        """Wait until the thread has ended, or until *deadline*. A step that hangs ends the whole process."""
        self._thread.join(None if deadline is None else max(0.0, deadline - time.monotonic()))


class WorkerThreads:
    """All workers of the service in this process. The practice stops one of them and starts it again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._running: dict[str, WorkerThread] = {}

    def start(self) -> None:
        """Build the workers in this process and start a thread for each."""
        for process in WORKERS:
            self.start_one(process.command)

    def stop(self) -> None:
        """Stop the threads after their current step, waiting at most `STOP_SECONDS`."""
        self._stop(*self._running, seconds=STOP_SECONDS)

    def start_one(self, command: str) -> None:
        """Start a worker that was stopped, or that has ended. Nothing happens if it runs.

        One that was told to stop may still be in its last step: the new one starts after that.
        """
        self._start(command, name=command)

    def start_second(self, command: str) -> None:
        """Start a second worker beside the first, like `start_one`. Raises the error of its subscription."""
        self._start(command, name=_second(command))

    def stop_second(self, command: str) -> None:
        """Stop the second worker after its current step."""
        self._stop(_second(command), seconds=STOP_SECONDS)

    def stop_one(self, command: str, *, seconds: float = STOP_SECONDS) -> None:
        """Stop a worker after its current step, waiting at most so many *seconds*."""
        self._stop(command, seconds=seconds)

    def _start(self, command: str, *, name: str) -> None:
        known = self._running.get(name)
        if known is not None and known.ending.is_set():
            known.join()
        if known is None or not known.runs:
            self._running[name] = WorkerThread(processes.worker(command), self._settings)

    def _stop(self, *commands: str, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        stopping = [self._running[command] for command in commands]
        for worker in stopping:
            worker.ending.set()
        for worker in stopping:
            worker.join(deadline)


def _second(command: str) -> str:
    return f"{command} (second)"
