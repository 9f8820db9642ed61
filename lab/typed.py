"""The commands of the practice: how they are displayed, and how they are run."""

import json
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from shlex import quote
from typing import IO

from .laboratory import HOME, Lab

# `python -m lab` for a lab that is not in its default folder.
ELSEWHERE = """
import json, sys
from functools import partial
from pathlib import Path
from lab import Lab, Ports, __main__ as command
home, ports, *words = sys.argv[1:]
command.Lab = partial(Lab, Path(home), Ports(**json.loads(ports)))
command.main(words, prog_name="python -m lab")
"""


def tool(lab: Lab, words: Sequence[str]) -> list[str]:
    """The command line that runs `python -m lab WORD …` for this lab."""
    if lab.home == HOME:
        return [sys.executable, "-m", "lab", *words]
    ports = json.dumps(asdict(lab.ports))
    return [sys.executable, "-c", ELSEWHERE, str(lab.home), ports, *words]


def service(words: Sequence[str]) -> list[str]:
    """The command line that runs `orders-service WORD …`."""
    return [sys.executable, "-m", "orders_service", *words]


def shown(words: Sequence[str], settings: Mapping[str, str] | None = None) -> str:
    """A command line for display: the settings, then the words, quoted for a shell."""
    given = [f"{name}={value}" for name, value in (settings or {}).items()]
    return " ".join([*given, *map(_quoted, words)])


def curl(method: str, url: str, body: object = None) -> str:
    """A request as a `curl` command line."""
    words = ["curl", "-s", *(["-X", method] if (method, body) != ("GET", None) and body is None else []), url]
    if body is not None:
        words += ["-H", "Content-Type: application/json", "-d", json.dumps(body)]
    return " ".join(one if one.startswith("http") else quote(one) for one in words)


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """Terminate the process at the end of the block; kill it if it does not end within 20 s."""
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe and not pipe.closed:
                pipe.close()


def lines_of(pipe: IO[str] | None) -> "queue.Queue[str]":
    """A queue of the pipe's lines, filled by a thread as they arrive."""
    assert pipe is not None
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in pipe:
            lines.put(line.rstrip("\n"))

    threading.Thread(target=read, daemon=True).start()
    return lines


def _quoted(word: str) -> str:
    return f'"{word}"' if "'" in word and not set(word) & set('"$`\\!') else quote(word)
