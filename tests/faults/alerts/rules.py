"""The rules of the deployment, in a shorter time."""

import re

FACTOR = 8  # A minute becomes 7.5 s. Not more: a worker that fails pauses for up to 10 s between two steps.

DURATION = re.compile(r"\[(\d+)m\]|(?<=for: )(\d+)m$", re.MULTILINE)
AGE = re.compile(r"> (60|3600)\b")  # Seconds.


def shortened(rules: str) -> str:
    """The rules with all their durations, and all ages that they compare with, divided by `FACTOR`."""

    def duration(found: re.Match[str]) -> str:
        window, minutes = found.group(1), found.group(1) or found.group(2)
        milliseconds = f"{int(minutes) * 60_000 // FACTOR}ms"
        return f"[{milliseconds}]" if window else milliseconds

    return AGE.sub(lambda found: f"> {int(found.group(1)) / FACTOR}", DURATION.sub(duration, rules))
