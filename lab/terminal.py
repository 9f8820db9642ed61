"""Where the practice types: each command, what it printed, what should be seen and what was."""

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import IO, Any, TextIO
from uuid import uuid4

import httpx

from .errors import LabError
from .laboratory import HOME, Lab
from .ports import Ports
from .server import within

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 60.0
LINES = 12  # As much of an answer as is shown.
# `python -m lab` on a lab that is not at its usual place.
ELSEWHERE = """
import json, sys
from functools import partial
from pathlib import Path
from lab import Lab, Ports, __main__ as command
home, ports, *words = sys.argv[1:]
command.Lab = partial(Lab, Path(home), Ports(**json.loads(ports)))
command.main(words, prog_name="python -m lab")
"""


class NotAsExpected(LabError):
    """What was seen is not what a learner should see."""


class Terminal:
    """Where the steps type. Everything typed, and what came back, is printed to *out*."""

    def __init__(self, lab: Lab, out: TextIO) -> None:
        self._lab, self._out = lab, out
        self.user = f"learner-{uuid4().hex[:6]}"
        self.connect = lab.connect.url
        self._environment = os.environ | lab.environment() | {"EVENTS_VIA": "relay", "ORDERS_SINK_TOPIC": ""}
        self._http = httpx.Client(timeout=30)
        self.forgotten: set[str] = set()

    def say(self, text: str) -> None:
        self._out.write(f"{text}\n")
        self._out.flush()

    def tool(self, *words: str, typed: str | None = None) -> str:
        """`python -m lab WORD …`, with what is *typed* into it; what it printed."""
        shown = f"python -m lab {_shown(words)}"
        return self._run(shown, self._tool(words), typed=typed)

    def sql(self, statements: str) -> list[list[str]]:
        """The rows of MariaDB's answer, the line of names left out."""
        answer = self.tool("mariadb", "--table", "-e", statements).splitlines()
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in answer if line[:1] == "|"]
        return rows[1:]

    def service(self, *words: str, **settings: str) -> str:
        """`orders-service WORD …`; what it printed."""
        shown = " ".join([*(f"{name}={value}" for name, value in settings.items()), "orders-service", *words])
        return self._run(shown, _service(words), settings)

    def http(self, method: str, url: str, body: object = None, *, quiet: bool = False) -> Any:
        """The answer's JSON, or its text."""
        response = self._http.request(method, url, json=body)
        if not quiet:
            self.say(f"  $ {method} {url}" + (f"  {json.dumps(body)}" if body is not None else ""))
            self._show(f"{response.status_code} {response.text}")
        if response.is_error:
            raise NotAsExpected(f"{method} {url} was answered {response.status_code}: {response.text[:300]}")
        return response.json() if "json" in response.headers.get("content-type", "") else response.text

    def see(self, expected: str, seen: object, holds: bool) -> None:
        """Say what a learner should see and what was seen; the step ends here unless it *holds*."""
        self.say(f"    should see  {expected}\n    saw         {seen}")
        if not holds:
            raise NotAsExpected(f"expected {expected}; saw {seen}")

    def await_seen(self, expected: str, look: Callable[[], object], wanted: object) -> None:
        """The same for what comes after a while. *look* is asked silently until it is as *wanted*."""
        within(SECONDS, lambda: look() == wanted)
        seen = look()
        self.see(expected, seen, seen == wanted)

    def rows(self, statement: str) -> list[list[str]]:
        """The same answer as `sql`, nothing printed: for looking again and again."""
        done = subprocess.run(
            self._tool(["mariadb", "--batch", "--skip-column-names", "-e", statement]),
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return [line.split("\t") for line in done.stdout.splitlines()]

    def failures(self) -> list[str]:
        """What Connect says of tasks that have failed: often the reason why nothing came."""
        command = _service(["connectors", "status"])
        done = subprocess.run(
            command, cwd=ROOT, env=self._environment, capture_output=True, text=True, check=False
        )
        return [line for line in done.stdout.splitlines() if "FAILED" in line]

    @contextmanager
    def open(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """A tool that stays open in another terminal."""
        self.say(f"  $ python -m lab {_shown(words)}")
        with _ended(
            subprocess.Popen(
                self._tool(words),
                cwd=ROOT,
                env=self._environment,
                text=True,
                bufsize=1,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        ) as process:
            yield process

    @contextmanager
    def running(self, word: str, logs: Path, **settings: str) -> Iterator[None]:
        """One of the service's processes in another terminal, ended by its pid."""
        shown = " ".join([*(f"{name}={value}" for name, value in settings.items()), "orders-service", word])
        self.say(f"  $ {shown} &")
        environment = self._environment | settings
        with (logs / f"{word}-{uuid4().hex[:4]}.log").open("wb") as log:
            process = subprocess.Popen(
                _service([word]), cwd=ROOT, env=environment, stdout=log, stderr=log, text=True
            )
            with _ended(process):
                yield

    def await_ready(self, url: str) -> None:
        def is_ready() -> bool:
            try:
                return self._http.get(f"{url}/readyz").status_code == 200
            except httpx.TransportError:
                return False

        if not within(SECONDS, is_ready):
            raise NotAsExpected(f"the API does not answer at {url}")

    def _run(
        self,
        shown: str,
        command: Sequence[str],
        settings: Mapping[str, str] | None = None,
        *,
        typed: str | None = None,
    ) -> str:
        self.say(f"  $ {shown}" + "".join(f"\n  > {line}" for line in (typed or "").splitlines()))
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**self._environment, **(settings or {})},
            input=typed or "",
            capture_output=True,
            text=True,
            timeout=2 * SECONDS,
            check=False,
        )
        if done.returncode:
            raise NotAsExpected(
                f"`{shown}` ended with {done.returncode}: {_last(done.stderr or done.stdout)}"
            )
        self._show(done.stdout)
        return done.stdout

    def _show(self, answer: str) -> None:
        lines = answer.strip("\n").splitlines()
        for line in lines[:LINES]:
            self.say(f"  {line[:300]}{' …' if len(line) > 300 else ''}")
        if len(lines) > LINES:
            self.say(f"  … {len(lines) - LINES} lines more")

    def _tool(self, words: Sequence[str]) -> list[str]:
        if self._lab.home == HOME:
            return [sys.executable, "-m", "lab", *words]
        return [
            sys.executable,
            "-c",
            ELSEWHERE,
            str(self._lab.home),
            json.dumps(asdict(_ports(self._lab))),
            *words,
        ]


def _shown(words: Sequence[str]) -> str:
    """Words as a person would quote them."""
    return " ".join(
        f'"{one}"' if "'" in one and not set(one) & set('"$`\\!') else quote(one) for one in words
    )


def _service(words: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "orders_service", *words]


def _ports(lab: Lab) -> Ports:
    """The ports on which a lab listens, as it was given them."""
    brokers = [broker.ports for broker in lab.kafka.brokers]
    first, second, third = (brokers * 3)[:3]
    return Ports(
        (first[0], second[0], third[0]),
        (first[1], second[1], third[1]),
        lab.mariadb.ports[0],
        lab.connect.ports[0],
    )


@contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[subprocess.Popen[str]]:
    """The process, ended when it is left."""
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
    """The lines of a pipe as they come."""
    assert pipe is not None
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        for line in pipe:
            lines.put(line.rstrip("\n"))

    threading.Thread(target=read, daemon=True).start()
    return lines


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
