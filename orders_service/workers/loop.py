"""The loop of every worker: it calls the step, pauses when there is no work, and backs off after errors.

Only this module of the workers handles signals and catches every exception.
"""

import faulthandler
import os
import signal
import threading
import time
from types import FrameType

import structlog
from sqlalchemy.exc import DBAPIError

from orders_service.database.errors import is_not_migrated
from orders_service.events.backoff import back_off
from orders_service.events.brokers.port import BrokerError
from orders_service.events.errors import Stopped
from orders_service.events.worker import Worker
from orders_service.metrics.steps import FAILURES

PAUSE_SECONDS = (0.001, 0.03)  # The shortest pause, right after work, and the longest.
PAUSE_PART = 0.01  # A pause is this part of the time since the last work.
BACK_OFF_SECONDS = (0.1, 10.0)  # The back-off after the first failure, and the longest.
WATCHDOG_EXIT = 4
log = structlog.get_logger()


class Stop:
    """A flag that one thread waits for. A signal handler may set it at any moment.

    That is not so for a `threading.Event`: its `set` takes a lock, which the interrupted `wait` may hold.
    """

    def __init__(self) -> None:
        self._is_set = False
        self._lock = threading.Lock()
        self._lock.acquire()

    def is_set(self) -> bool:
        """Whether `set` was called."""
        return self._is_set

    def set(self) -> None:
        """End the wait, now and from now on."""
        if not self._is_set:
            self._is_set = True
            self._lock.release()

    def wait(self, seconds: float) -> bool:
        """Wait at most *seconds*. True if it is set."""
        if not self._is_set and self._lock.acquire(timeout=seconds):
            self._lock.release()
        return self._is_set


class Watchdog:
    """Ends the process when a step hangs, for example in a call of a client library."""

    def __init__(self, name: str, seconds: int) -> None:
        self._name = name
        self._seconds = seconds
        self._quiet = 0

    def beat(self) -> None:
        """Start the count again: a new step begins."""
        self._quiet = 0

    def watch(self, stop: threading.Event) -> None:
        """Count the seconds without a beat. Time in which the whole process is paused does not count."""
        while not stop.wait(1):
            self._quiet += 1
            if self._quiet > self._seconds:
                log.critical("a step hangs; the process exits", worker=self._name, seconds=self._seconds)
                faulthandler.dump_traceback(all_threads=True)
                os._exit(WATCHDOG_EXIT)


def repeat_steps(worker: Worker, name: str, stop: Stop, *, step_seconds: int) -> None:
    """Call *worker*'s step until *stop* is set. After an error, log it, back off and call the step again.

    `Stopped` is not retried: it ends this thread, and so the process of a single worker, with its exit code.
    """
    watchdog, ended = Watchdog(name, step_seconds), threading.Event()
    threading.Thread(target=watchdog.watch, args=(ended,), name=f"{name}-watchdog", daemon=True).start()
    log.info("started", worker=name)
    try:
        _repeat_steps(worker, name, stop, watchdog)
    except Stopped as error:
        log.critical("stopped until an operator acts", worker=name, error=str(error))
        raise SystemExit(error.exit_code) from error
    finally:
        _close(worker, name)
        ended.set()
    log.info("stopped", worker=name)


def _repeat_steps(worker: Worker, name: str, stop: Stop, watchdog: Watchdog) -> None:
    failures, worked = 0, time.monotonic()
    failed_steps = FAILURES.labels(name)
    while not stop.is_set():
        watchdog.beat()
        try:
            busy = worker.step()
        except Stopped:
            raise
        except Exception as error:
            failures += 1
            failed_steps.inc()
            pause = back_off(failures, shortest=BACK_OFF_SECONDS[0], longest=BACK_OFF_SECONDS[1])
            # After a lost connection, the next step mostly connects again within a second: no warning yet.
            lost = failures == 1 and is_connection_lost(error)
            (log.info if lost else log.warning)(
                "step failed; retrying",
                worker=name,
                error=f"{type(error).__name__}: {error}",
                failures=failures,
                again_in_seconds=round(pause, 1),
                **({"advice": "orders-service migrate"} if is_not_migrated(error) else {}),
                exc_info=failures == 1 and not lost,
            )
            stop.wait(pause)
            continue
        if failures:
            log.info("recovered", worker=name, failures=failures)
        failures = 0
        now = time.monotonic()
        if busy:
            worked = now
        else:
            stop.wait(min(max(PAUSE_SECONDS[0], PAUSE_PART * (now - worked)), PAUSE_SECONDS[1]))


def is_connection_lost(error: Exception) -> bool:
    """Whether the broker failed, or a database could not be reached or ended a connection: mostly brief."""
    return isinstance(error, BrokerError) or (isinstance(error, DBAPIError) and error.connection_invalidated)


def _close(worker: Worker, name: str) -> None:
    """Close *worker*. If it cannot release something now, such as a lease, that expires by itself."""
    try:
        worker.close()
    except Exception as error:
        log.warning(
            "could not close the worker cleanly", worker=name, error=f"{type(error).__name__}: {error}"
        )


def run(worker: Worker, name: str, *, step_seconds: int) -> None:
    """Run *worker* as this process: the first signal lets it finish its step, the second ends it at once."""
    stop = Stop()

    def on_signal(number: int, _: FrameType | None) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, on_signal)
    repeat_steps(worker, name, stop, step_seconds=step_seconds)
