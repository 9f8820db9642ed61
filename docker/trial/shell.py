"""Runs other programs, and prints one line for each thing that was done."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STARTED = time.monotonic()


class TrialError(Exception):
    """An error message for the person at the terminal."""


def say(text: str) -> None:
    """Print one line, with the seconds since the start."""
    print(f"{time.monotonic() - STARTED:6.1f} s  {text}", flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    """Name what the block does. An error that leaves the block gets the name as a note."""
    try:
        yield
    except BaseException as error:
        error.add_note(what)
        raise


def warn(text: str) -> None:
    """Print a warning or a log line."""
    print(text, file=sys.stderr, flush=True)


def run(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    stdin: str | None = None,
    seconds: float = 600,
) -> str:
    """Run *command*; its output. Raises `TrialError` with the last lines if it fails or takes too long."""
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=ROOT,
            env=None if env is None else dict(env),
            input=stdin or "",
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise TrialError(f"`{_short(words)}` did not end within {seconds:.0f} s") from error
    except OSError as error:
        raise TrialError(f"`{_short(words)}`: {error}") from error
    if done.returncode:
        lines = (done.stdout + done.stderr).splitlines()[-30:]
        raise TrialError("\n".join([f"`{_short(words)}` ended with {done.returncode}:", *lines]))
    return done.stdout


def succeeds(command: Sequence[str | Path], *, env: Mapping[str, str] | None, seconds: float = 60) -> bool:
    """Whether *command* ends with 0."""
    try:
        run(command, env=env, seconds=seconds)
    except TrialError:
        return False
    return True


def _short(words: Sequence[str]) -> str:
    line = " ".join(words)
    return line if len(line) < 200 else f"{line[:200]}…"
