"""One answer per second, shared by all who ask: what a question costs does not grow with those who ask it."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

FRESH_SECONDS = 1.0  # An answer is given to everybody for so long.


class Shared(Generic[T]):
    """A question that may take long or hang. It is asked by one thread at a time.

    *late* is the answer while nobody knows a better one: the question was asked *patience* seconds ago and
    still has no answer. It is not asked again before it has one.
    """

    def __init__(self, ask: Callable[[], T], *, late: Callable[[], T], patience: float) -> None:
        self._ask = ask
        self._late = late
        self._patience = patience
        self._mutex = threading.Lock()
        self._answered: threading.Event | None = (
            None  # Set when the question that is being asked is answered.
        )
        self._asked_at = 0.0
        self._answer: T | None = None
        self._known_until = 0.0

    def answer(self) -> T:
        """The answer of the last second, or a new one."""
        with self._mutex:
            if self._answer is not None and time.monotonic() < self._known_until:
                return self._answer
            if self._answered is None:
                self._answered, self._asked_at = threading.Event(), time.monotonic()
                threading.Thread(target=self._run, args=(self._answered,), daemon=True).start()
            answered, until = self._answered, self._asked_at + self._patience
        answered.wait(max(0.0, until - time.monotonic()))
        answer = self._answer
        return answer if answered.is_set() and answer is not None else self._late()

    def _run(self, answered: threading.Event) -> None:
        answer = None
        try:
            answer = self._ask()
        finally:
            with self._mutex:
                self._answer, self._known_until = answer, time.monotonic() + FRESH_SECONDS
                self._answered = None
            answered.set()
