"""Reads the road for all who look at it: one thread per process, once a second, while anybody looks.

Without a viewer there is no thread, no connection and no statement. The same code serves threads and
greenlets: with greenlets, gevent has patched `threading`.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
import structlog

from orders_service.api.seats import Seats
from orders_service.api.serving.shared_answer import SharedAnswer
from orders_service.database.columns import utc_now
from orders_service.operations.road.judgement import Judge
from orders_service.operations.road.look import Looks, Outcome
from orders_service.operations.road.picture import picture
from orders_service.operations.road.readings import Readings
from orders_service.settings import Settings

EVERY_SECONDS = 1.0
LOOKED_AT_SECONDS = 5.0  # After the last viewer it goes on for so long: a page may ask every few seconds.
PATIENCE_SECONDS = 1.5  # For the answer of a database or a broker in one reading.
# If an answer is late, the one before it is shown for so long: on a busy machine a late answer is no trouble.
GRACE_SECONDS = 5.0
CONNECT_SECONDS = 4.0  # For the first answer, before which there is none.
FRESH_SECONDS = 0.5  # Shorter than from one reading to the next, so that each reading is a new one.
BREATH_SECONDS = 0.05
FIRST_SECONDS = 5.0  # For the first reading, which opens all connections.

T = TypeVar("T")
log = structlog.get_logger()


@dataclass(frozen=True)
class Made:
    """A picture of the road as JSON, with its number and when it was made."""

    number: int
    json: bytes
    at: float


class RoadReader:
    """Makes the pictures, and gives them to all who look. At most *viewers* follow the stream."""

    def __init__(self, settings: Settings, *, viewers: int) -> None:
        self.seats = Seats(viewers)  # Not those of requests that wait for orders: a page takes none of them.
        self.practice = False  # Whether the page has its practice, as with `run`.
        self._settings = settings
        self._changed = threading.Condition()
        self._last: Made | None = None
        self._wanted_until = 0.0
        self._at_work = False
        self._is_stopping = False
        self._failures = 0  # In a row.

    def latest(self) -> Made | None:
        """A picture that is at most `EVERY_SECONDS` old; None if none can be made."""
        last = self._last
        if last is not None and time.monotonic() - last.at <= EVERY_SECONDS:
            self._want()
            return last
        return self.after(last.number if last else 0, FIRST_SECONDS)

    def after(self, number: int, seconds: float) -> Made | None:
        """Wait for a picture after *number*; None if it fails, or takes longer than *seconds*."""
        deadline = time.monotonic() + seconds
        failures = self._failures
        self._want()
        with self._changed:
            while (last := self._last) is None or last.number <= number:
                left = deadline - time.monotonic()
                if left <= 0 or self._is_stopping or self._failures > failures:
                    return None
                self._changed.wait(min(left, EVERY_SECONDS))
                self._wanted_until = time.monotonic() + LOOKED_AT_SECONDS
        return last

    @property
    def is_failing(self) -> bool:
        """Whether no picture could be made at the last attempt."""
        return self._failures > 0

    @property
    def is_at_work(self) -> bool:
        """Whether its thread runs."""
        return self._at_work

    def stop(self) -> None:
        """End the thread soon, and all waits now."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify_all()

    def _want(self) -> None:
        with self._changed:
            self._wanted_until = time.monotonic() + LOOKED_AT_SECONDS
            if self._at_work or self._is_stopping:
                return
            self._at_work = True
        try:
            threading.Thread(target=self._work, name="road", daemon=True).start()
        except RuntimeError:  # The system cannot start a thread. The next viewer tries again.
            self._at_work = False
            log.exception("cannot start the thread that reads the road")

    def _work(self) -> None:
        try:
            while self._is_wanted():
                try:
                    self._look()
                except Exception:
                    self._pause_after_failure()
        finally:
            self._end()

    def _look(self) -> None:
        looking = Looking(self._settings)
        try:
            while self._is_wanted():
                self._make(looking)
        finally:
            looking.close()

    def _pause_after_failure(self) -> None:
        if not self._failures:
            log.exception("cannot read the road; trying again")
        with self._changed:
            self._failures += 1
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._is_stopping, EVERY_SECONDS)

    def _make(self, looking: "Looking") -> None:
        began = time.monotonic()
        made = looking.picture(practice=self.practice)
        with self._changed:
            self._last = Made(self._last.number + 1 if self._last else 1, made, time.monotonic())
            self._failures = 0
            self._changed.notify_all()
            self._changed.wait_for(
                lambda: self._is_stopping,
                max(BREATH_SECONDS, began + EVERY_SECONDS - time.monotonic()),
            )

    def _is_wanted(self) -> bool:
        return not self._is_stopping and time.monotonic() < self._wanted_until

    def _end(self) -> None:
        with self._changed:
            self._at_work = False
            self._changed.notify_all()
        if self._is_wanted():  # A viewer came while the connections were being closed.
            self._want()


class Looking:
    """The connections and the memory of one time of looking."""

    def __init__(self, settings: Settings) -> None:
        self._looks = Looks(settings)
        self._judge = Judge(settings)
        self._orders = Question(self._looks.orders.read)
        self._catalog = Question(self._looks.catalog.read)
        self._stock = Question(self._looks.stock.read)
        self._log = Question(self._looks.log.read)

    def picture(self, *, practice: bool) -> bytes:
        """Read everything at the same time; the picture as JSON."""
        questions = (self._orders, self._catalog, self._log, self._stock)
        for question in questions:
            question.begin()
        orders, catalog, broker = self._orders.answer(), self._catalog.answer(), self._log.answer()
        readings = Readings(
            orders=orders.found,
            catalog=catalog.found,
            stock=self._stock.answer().found,
            log=broker.found,
            log_problem=broker.problem,
        )
        made = picture(self._judge, readings, at=time.monotonic(), now=utc_now(), practice=practice)
        return orjson.dumps(made, option=orjson.OPT_APPEND_NEWLINE)

    def close(self) -> None:
        """Close the connections; those of a look that is under way are closed at its end."""
        self._looks.close()


class Question(Generic[T]):
    """A look that is made in a thread of its own, and its last answer."""

    def __init__(self, look: Callable[[], Outcome[T]]) -> None:
        self._shared = SharedAnswer(look, late=_late, patience=PATIENCE_SECONDS, fresh=FRESH_SECONDS)
        self._first_until = time.monotonic() + CONNECT_SECONDS
        self._last: Outcome[T] | None = None
        self._shown_until = 0.0

    def begin(self) -> None:
        """Look, and do not wait."""
        self._shared.begin()

    def answer(self) -> Outcome[T]:
        """What was found. If that is late, what was found shortly before."""
        found = self._shared.answer()
        while found.is_late and self._last is None and time.monotonic() < self._first_until:
            time.sleep(BREATH_SECONDS)
            found = self._shared.answer()
        now = time.monotonic()
        if found.is_late and self._last is not None and now < self._shown_until:
            return self._last
        if not found.is_late:
            self._shown_until = now + GRACE_SECONDS
        self._last = found
        return found


def _late() -> Outcome[Any]:
    return Outcome(None, f"No answer came within {PATIENCE_SECONDS} s.", is_late=True)
