"""The orders that wait for their group's commit, and the requests that wait for them."""

import threading

from orders_service.orders.service import Placed, Placement


class WaitingRequest:
    """A request that waits for its group's commit in a thread."""

    __slots__ = ("_answered", "outcome", "placement")

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.outcome: Placed | Exception | None = None
        self._answered = threading.Lock()
        self._answered.acquire()

    def wait(self, seconds: float) -> None:
        """Wait for the outcome, at most *seconds*."""
        self._answered.acquire(timeout=seconds)

    def answer(self, outcome: Placed | Exception) -> None:
        """Set the outcome and wake the request."""
        self.outcome = outcome
        self._answered.release()


class OrderOfBatch:
    """An order of a batch, but not its last. The request waits for the last order, which is answered last."""

    __slots__ = ("outcome", "placement")

    def __init__(self, placement: Placement) -> None:
        self.placement = placement
        self.outcome: Placed | Exception | None = None

    def answer(self, outcome: Placed | Exception) -> None:
        """Set the outcome."""
        self.outcome = outcome


Waiting = WaitingRequest | OrderOfBatch
