"""Lengths of time, numbers and counts, in words."""

from datetime import timedelta

MILLISECOND = timedelta(milliseconds=1)
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=n) for n in (1, 60, 3600, 86_400))


def span(length: timedelta, digits: int = 3) -> str:
    """A length of time in words: `2.6 ms`, `12 ms`, `5.4 s`, `2 min 5 s`. With 3 *digits*, in whole ms."""
    length = max(length, timedelta(0))
    if length < MILLISECOND and digits <= 3:
        return "under 1 ms"
    if length < 10 * MILLISECOND and digits > 3:
        return f"{length / MILLISECOND:.1f} ms"
    if length < SECOND:
        return f"{length // MILLISECOND} ms"
    if length < MINUTE:
        return f"{length / SECOND:.1f} s"
    if length < HOUR:
        return f"{length // MINUTE} min {length % MINUTE // SECOND} s"
    if length < 2 * DAY:
        return f"{length // HOUR} h {length % HOUR // MINUTE} min"
    return f"{length // DAY} days"


def pieces(count: int) -> str:
    """A number of pieces: `1 piece`, `2 pieces`."""
    return "1 piece" if count == 1 else f"{count:,} pieces"


def times(count: int) -> str:
    """How often: `twice`, `3 times`."""
    return {1: "once", 2: "twice"}.get(count) or f"{count} times"
