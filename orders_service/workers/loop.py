"""Again, or rest, or stop: the one place that knows signals and pauses, and that catches broadly."""

import os
import random
import signal
import threading
from types import FrameType
from typing import Protocol

import structlog

REST_SECONDS = (0.005, 0.1)  # After recent work, and at most.
BACK_OFF_SECONDS = (0.1, 10.0)  # After a first failure, and at most.

log = structlog.get_logger()


class Worker(Protocol):
    """Something with a step to turn."""

    def step(self) -> bool:
        """Do one batch in one transaction; True to be called again at once."""

    def close(self) -> None:
        """Let go of everything held."""


def turn(worker: Worker, name: str, stop: threading.Event) -> None:
    """Turn *worker* until *stop*; whatever a step raises is logged and tried again, ever less often."""
    rest, failures = REST_SECONDS[0], 0
    log.info("started", worker=name)
    while not stop.is_set():
        try:
            busy = worker.step()
        except Exception as error:
            failures += 1
            pause = min(BACK_OFF_SECONDS[0] * 2**failures, BACK_OFF_SECONDS[1]) * random.uniform(0.5, 1)
            log.warning(
                "step failed, it is tried again",
                worker=name,
                error=f"{type(error).__name__}: {error}",
                failures=failures,
                again_in_seconds=round(pause, 1),
                exc_info=failures == 1,
            )
            stop.wait(pause)
            continue
        if failures:
            log.info("recovered", worker=name, failures=failures)
        failures = 0
        rest = REST_SECONDS[0] if busy else min(rest * 1.5, REST_SECONDS[1])
        if not busy:
            stop.wait(rest)
    worker.close()
    log.info("stopped", worker=name)


def run(worker: Worker, name: str) -> None:
    """Be the process of *worker*: a first signal lets it finish its step, a second ends it at once."""
    stop = threading.Event()

    def on_signal(number: int, _: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    turn(worker, name, stop)
