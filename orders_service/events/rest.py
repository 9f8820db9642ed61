"""How long to rest after failures."""

import random

GROWS = 16  # Doublings; far beyond every limit, and far below what a float can hold.


def rest(failures: int, *, shortest: float, longest: float) -> float:
    """Seconds until the next attempt: twice as many each time up to *longest*, less a random part."""
    grown: float = shortest * 2 ** min(failures, GROWS)
    return min(grown, longest) * random.uniform(0.5, 1)
