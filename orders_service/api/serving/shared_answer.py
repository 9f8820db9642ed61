"""A single-flight cache: concurrent callers share one answer, which is kept for a while."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

FRESH_SECONDS = 1.0  # All callers get the same answer for this long, unless *fresh* says otherwise.


class SharedAnswer(Generic[T]):
    """The cached result of *ask*, a function that may be slow or hang. One thread at a time calls it.

    If *ask* does not return within *patience* seconds, callers get the result of *late*. *ask* is not called
    again before it has returned.
    """

    def __init__(
        self, ask: Callable[[], T], *, late: Callable[[], T], patience: float, fresh: float | None = None
    ) -> None:
        self._ask = ask
        self._late = late
        self._patience = patience
        self._fresh = FRESH_SECONDS if fresh is None else fresh
        self._mutex = threading.Lock()
        self._answered: threading.Event | None = None  # Set when the running call has returned.
        self._asked_at = 0.0
        self._answer: T | None = None
        self._known_until = 0.0
        self._is_outdated = False  # Whether what the running call returns is old already.

    def answer(self) -> T:
        """The last answer while it is fresh, or a new one."""
        with self._mutex:
            if self._is_fresh:
                assert self._answer is not None
                return self._answer
            self._begin()
            answered, until = self._answered, self._asked_at + self._patience
        if answered is None:
            return self._late()
        answered.wait(max(0.0, until - time.monotonic()))
        answer = self._answer
        return answer if answered.is_set() and answer is not None else self._late()

    def begin(self) -> None:
        """Start a call if the answer is old, and do not wait for it."""
        with self._mutex:
            if not self._is_fresh:
                self._begin()

    def forget(self) -> None:
        """Make the answer old: what it tells has just changed."""
        with self._mutex:
            self._known_until = 0.0
            self._is_outdated = self._answered is not None

    @property
    def _is_fresh(self) -> bool:
        return self._answer is not None and time.monotonic() < self._known_until

    def _begin(self) -> None:
        if self._answered is not None:
            return
        self._answered, self._asked_at = threading.Event(), time.monotonic()
        try:
            threading.Thread(target=self._run, args=(self._answered,), daemon=True).start()
        except RuntimeError:  # No thread can be started now. The next caller tries again.
            self._answered = None

    def _run(self, answered: threading.Event) -> None:
        answer = None
        try:
            answer = self._ask()
        finally:
            with self._mutex:
                fresh = 0.0 if self._is_outdated else self._fresh
                self._answer, self._known_until = answer, time.monotonic() + fresh
                self._is_outdated = False
                self._answered = None
            answered.set()
