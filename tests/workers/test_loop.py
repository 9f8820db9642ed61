"""A worker is turned until told to stop; what it raises is tried again, or ends it."""

import subprocess
import sys
import threading

import pytest
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from orders_service.events.backoff import back_off
from orders_service.events.brokers.port import BrokerError
from orders_service.events.errors import TooManyDeadLetters
from orders_service.workers import loop
from orders_service.workers.loop import Stop
from rig import waiting
from tests.metrics.growth import Growth, value


class Scripted:
    """A worker whose steps do, one after the other, what they are told."""

    def __init__(self, stop: Stop, *steps: bool | Exception) -> None:
        self.stop = stop
        self.steps = list(steps)
        self.turned = 0
        self.closed = False

    def step(self) -> bool:
        self.turned += 1
        if not self.steps:
            self.stop.set()
            return False
        step = self.steps.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    def close(self) -> None:
        self.closed = True


def test_a_step_that_fails_is_turned_again() -> None:
    stop = Stop()
    worker = Scripted(stop, True, OSError("away"), ValueError("odd"), True)

    loop.repeat_steps(worker, "test", stop, step_seconds=120)

    assert worker.turned == 5
    assert worker.closed


def test_steps_that_fail_are_counted_and_one_that_stops_the_worker_is_not() -> None:
    growth, stop, never = Growth(), Stop(), Stop()
    failing = Scripted(never, OSError("away"), OSError("away"), TooManyDeadLetters("topic", 0, 20))

    loop.repeat_steps(Scripted(stop, True), "steady", stop, step_seconds=120)
    with pytest.raises(SystemExit):
        loop.repeat_steps(failing, "failing", never, step_seconds=120)

    assert value("orders_step_failures_total", worker="steady") == 0
    assert growth.of("orders_step_failures_total", worker="failing") == 2


@pytest.mark.parametrize(
    ("steps", "levels"),
    [
        ([BrokerError("gone"), True], ["info"]),
        ([BrokerError("gone"), BrokerError("gone"), True], ["info", "warning"]),
        ([DBAPIError("x", {}, OSError(), connection_invalidated=True), True], ["info"]),
        ([ValueError("odd"), True], ["warning"]),
    ],
    ids=["a broker once", "a broker twice", "a database once", "something else"],
)
def test_a_connection_that_is_back_with_the_next_step_is_no_warning(
    steps: list[bool | Exception], levels: list[str]
) -> None:
    stop = Stop()

    with capture_logs() as logs:
        loop.repeat_steps(Scripted(stop, *steps), "test", stop, step_seconds=120)

    assert [line["log_level"] for line in logs if line["event"].startswith("step failed")] == levels


def test_a_step_that_must_not_be_repeated_ends_the_process_with_its_code() -> None:
    stop = Stop()
    worker = Scripted(stop, TooManyDeadLetters("topic", 0, 20), True)

    with pytest.raises(SystemExit) as ended:
        loop.repeat_steps(worker, "test", stop, step_seconds=120)

    assert ended.value.code == 3
    assert worker.turned == 1
    assert worker.closed
    stop.set()


@pytest.mark.parametrize("failures", [1, 2, 10, 5_000, 10**9])
def test_rests_grow_to_a_limit_however_often_it_failed(failures: int) -> None:
    rests = [back_off(failures, shortest=0.1, longest=10) for _ in range(20)]

    assert all(0.05 <= seconds <= 10 for seconds in rests)


def test_a_worker_that_cannot_close_still_ends_as_it_should() -> None:
    class Clinging(Scripted):
        def close(self) -> None:
            raise OSError("the database is away")

    stop = Stop()
    loop.repeat_steps(Clinging(stop), "test", stop, step_seconds=120)

    stopped = Stop()
    with pytest.raises(SystemExit) as ended:
        loop.repeat_steps(
            Clinging(stopped, TooManyDeadLetters("topic", 0, 20)), "test", stopped, step_seconds=120
        )
    assert ended.value.code == 3


def test_a_worker_that_stopped_for_good_is_watched_no_longer() -> None:
    stop = Stop()

    with pytest.raises(SystemExit):
        loop.repeat_steps(Scripted(stop, TooManyDeadLetters("topic", 0, 20)), "gone", stop, step_seconds=120)

    watchers = [thread for thread in threading.enumerate() if thread.name == "gone-watchdog"]
    for watcher in watchers:
        watcher.join(5)
    assert not any(watcher.is_alive() for watcher in watchers)


def test_a_step_that_hangs_is_seen_and_ends_the_process() -> None:
    program = """
import threading
from orders_service.workers.loop import Watchdog
threading.Thread(target=Watchdog("test", seconds=1).watch, args=(threading.Event(),), daemon=True).start()
threading.Event().wait(60)
"""

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=waiting.seconds(30)
    )

    assert ended.returncode == 4
    assert "Thread" in ended.stderr


@pytest.mark.parametrize("signals", [1, 2])
def test_a_signal_lets_the_step_end_and_a_second_does_not(signals: int) -> None:
    program = f"""
import os, signal, time
from orders_service.workers import loop
class Slow:
    def step(self):
        for _ in range({signals}):
            os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(0.2)
        print("step ended", flush=True)
        return False
    def close(self):
        print("closed", flush=True)
loop.run(Slow(), "slow", step_seconds=120)
"""

    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=waiting.seconds(30)
    )

    assert ended.returncode == (0 if signals == 1 else 143)
    assert ("step ended\nclosed\n" in ended.stdout) == (signals == 1)
