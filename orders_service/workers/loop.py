"""Again, or rest, or stop: the one place that knows signals and pauses, and that catches broadly."""

import faulthandler
import os
import signal
import threading
import time
from types import FrameType
from typing import Protocol

import structlog
from sqlalchemy.exc import DBAPIError

from orders_service import wiring
from orders_service.events.broker import BrokerError
from orders_service.events.errors import Stopped
from orders_service.events.rest import rest

REST_SECONDS = (0.001, 0.03)  # After recent work, and at most.
REST_PART = 0.01  # Of the time that there has been nothing to do.
BACK_OFF_SECONDS = (0.1, 10.0)  # After a first failure, and at most.
WATCHDOG_SECONDS = 120  # Longer than every wait in a step together.
WATCHDOG_EXIT = 4

log = structlog.get_logger()


class Worker(Protocol):
    """Something with a step to turn."""

    def step(self) -> bool:
        """Do one batch in one transaction; True to be called again at once."""

    def close(self) -> None:
        """Let go of everything held."""


class Watchdog:
    """Ends the process when a step does not: no call of a client library may hang unseen."""

    def __init__(self, name: str, seconds: int = WATCHDOG_SECONDS) -> None:
        self._name = name
        self._seconds = seconds
        self._quiet = 0

    def beat(self) -> None:
        """A step has ended."""
        self._quiet = 0

    def watch(self, stop: threading.Event) -> None:
        """Count the seconds without a beat. A process that was paused counts none."""
        while not stop.wait(1):
            self._quiet += 1
            if self._quiet > self._seconds:
                log.critical("a step hangs, the process ends", worker=self._name, seconds=self._seconds)
                faulthandler.dump_traceback(all_threads=True)
                os._exit(WATCHDOG_EXIT)


def turn(worker: Worker, name: str, stop: threading.Event) -> None:
    """Turn *worker* until *stop*; what a step raises is logged and tried again, ever less often.

    A `Stopped` is not: it ends this thread, and so the process of a single worker, with its exit code.
    """
    watchdog, ended = Watchdog(name), threading.Event()
    threading.Thread(target=watchdog.watch, args=(ended,), name=f"{name}-watchdog", daemon=True).start()
    log.info("started", worker=name)
    try:
        _turn(worker, name, stop, watchdog)
    except Stopped as error:
        log.critical("stopped for good", worker=name, error=str(error))
        raise SystemExit(error.exit_code) from error
    finally:
        _close(worker, name)
        ended.set()
    log.info("stopped", worker=name)


def _turn(worker: Worker, name: str, stop: threading.Event, watchdog: Watchdog) -> None:
    failures, worked = 0, time.monotonic()
    while not stop.is_set():
        watchdog.beat()
        try:
            busy = worker.step()
        except Stopped:
            raise
        except Exception as error:
            failures += 1
            back_off = rest(failures, shortest=BACK_OFF_SECONDS[0], longest=BACK_OFF_SECONDS[1])
            # A connection that was lost is mostly back with the next step, within a second.
            lost = failures == 1 and is_connection_lost(error)
            (log.info if lost else log.warning)(
                "step failed, it is tried again",
                worker=name,
                error=f"{type(error).__name__}: {error}",
                failures=failures,
                again_in_seconds=round(back_off, 1),
                **({"advice": "orders-service migrate"} if wiring.is_not_migrated(error) else {}),
                exc_info=failures == 1 and not lost,
            )
            stop.wait(back_off)
            continue
        if failures:
            log.info("recovered", worker=name, failures=failures)
        failures = 0
        now = time.monotonic()
        if busy:
            worked = now
        else:
            stop.wait(min(max(REST_SECONDS[0], REST_PART * (now - worked)), REST_SECONDS[1]))


def is_connection_lost(error: Exception) -> bool:
    """Whether a broker or a database could not be reached, or ended a connection."""
    return isinstance(error, BrokerError) or (isinstance(error, DBAPIError) and error.connection_invalidated)


def _close(worker: Worker, name: str) -> None:
    """Close it. What it cannot give back now (a lease, say) runs out by itself."""
    try:
        worker.close()
    except Exception as error:
        log.warning("not closed cleanly", worker=name, error=f"{type(error).__name__}: {error}")


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
