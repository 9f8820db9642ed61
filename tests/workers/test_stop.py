"""A worker's stop can be set by a signal handler, whatever the signal interrupts."""

import sys
import threading
from types import FrameType
from typing import Any

from orders_service.workers.loop import Stop


class Interruption:
    """Sets *stop*, as a signal handler would, before the operation number *at* of Python in the block."""

    def __init__(self, stop: Stop, at: int) -> None:
        self._stop, self._left = stop, at

    def __enter__(self) -> "Interruption":
        sys.settrace(self._trace)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    @property
    def has_come(self) -> bool:
        return self._left <= 0

    def _trace(self, frame: FrameType, event: str, _: object) -> Any:
        frame.f_trace_opcodes = True
        if event == "opcode":
            self._left -= 1
            if self.has_come:
                sys.settrace(None)
                self._stop.set()
        return self._trace


def test_a_signal_may_interrupt_a_wait_anywhere() -> None:
    operations = 0
    while True:
        stop = Stop()
        with Interruption(stop, operations + 1) as interruption:
            stop.wait(0.01)
        if not interruption.has_come:
            break
        operations += 1
        assert stop.is_set()
    assert operations > 10


def test_it_ends_a_wait_that_has_begun() -> None:
    stop = Stop()
    setter = threading.Timer(0.05, stop.set)
    setter.start()

    assert stop.wait(3600)
    setter.join()


def test_it_stays_set() -> None:
    stop = Stop()

    assert not stop.wait(0)
    stop.set()
    stop.set()

    assert stop.wait(60)
    assert stop.wait(60)
