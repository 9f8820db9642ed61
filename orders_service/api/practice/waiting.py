"""Waits for what a fault leads to: looks often at first, then ever more rarely, and not for ever."""

from collections.abc import Callable, Iterator

from orders_service import runtime
from orders_service.api.practice.scene import Counts
from orders_service.orders.order import Status

WAIT_SECONDS = 30
PAUSE_SECONDS = (0.02, 0.5)  # The shortest pause between two looks, and the longest.
PAUSE_PART = 0.1  # A pause is this part of the time that was waited, so a time is measured as exactly.


def looks() -> Iterator[None]:
    """One item for each look, the first at once and the last after WAIT_SECONDS: about a hundred in all."""
    begun, shortest, longest = runtime.monotonic(), *PAUSE_SECONDS
    yield
    while (waited := runtime.monotonic() - begun) < WAIT_SECONDS:
        runtime.sleep(min(max(shortest, PAUSE_PART * waited), longest))
        yield


def wait_until_answered(statuses: Callable[[], Counts]) -> tuple[Counts, int]:
    """Wait until no order is PENDING, or for WAIT_SECONDS; return the counts, and the most that waited."""
    counts, most = Counts(), 0
    for _ in looks():
        counts = statuses()
        if not counts[Status.PENDING]:
            break
        most = max(most, counts[Status.PENDING])
    return counts, most
