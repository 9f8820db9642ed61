"""Exponential back-off after failures."""

from orders_service import runtime

GROWS = 16  # The most doublings: enough to reach every limit, and far below what a float can hold.


def back_off(failures: int, *, shortest: float, longest: float) -> float:
    """Seconds until the next attempt: doubled with each failure up to *longest*, less a random part."""
    grown: float = shortest * 2 ** min(failures, GROWS)
    return min(grown, longest) * runtime.uniform(0.5, 1)
