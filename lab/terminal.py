"""The terminal of the practice: runs commands, prints them with their output, and checks the results."""

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO
from uuid import uuid4

import httpx
import pymysql
from pymysql.constants import ER

from rig.processes import Process

from .errors import LabError
from .laboratory import Lab
from .readable import in_words, readable
from .server import within
from .typed import curl, ended, service, shown, tool

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 60.0


class NotAsExpected(LabError):
    """A command of the practice failed, or its result differs from what the course expects."""


class Terminal:
    """Runs commands and prints each, with its output, to *out*.

    *pause* is called after a command is printed and before it is run.
    """

    def __init__(self, lab: Lab, out: TextIO, pause: Callable[[], None] | None = None) -> None:
        self._lab, self._out, self._pause = lab, out, pause
        self.user = f"learner-{uuid4().hex[:6]}"
        self.connect = lab.connect.url
        self._environment = os.environ | lab.environment() | {"EVENTS_VIA": "relay", "ORDERS_SINK_TOPIC": ""}
        self._http = httpx.Client(timeout=30)
        self.forgotten: set[str] = set()

    def say(self, text: str) -> None:
        self._out.write(f"{text}\n")
        self._out.flush()

    def tool(self, *words: str, typed: str | None = None, quiet: bool = False) -> str:
        """Run `python -m lab WORD …` with *typed* as its input; return its output."""
        command = shown(["python", "-m", "lab", *words])
        return self._run(command, tool(self._lab, words), typed=typed, quiet=quiet)

    def sql(self, statements: str) -> list[list[str]]:
        """Run SQL with MariaDB's client; return the rows, without the line of column names."""
        answer = self.tool("mariadb", "--table", "-e", statements).splitlines()
        rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in answer if line[:1] == "|"]
        return rows[1:]

    def service(self, *words: str, **settings: str) -> str:
        """Run `orders-service WORD …`; return its output."""
        return self._run(shown(["orders-service", *words], settings), service(words), settings)

    def http(self, method: str, url: str, body: object = None, *, quiet: bool = False) -> Any:
        """Send a request; return the JSON of the response, or its text."""
        if not quiet:
            self._type(curl(method, url, body))
        response = self._http.request(method, url, json=body)
        if not quiet:
            self._show(response.text)
        if response.is_error:
            raise NotAsExpected(f"{method} {url} was answered {response.status_code}: {response.text[:300]}")
        return response.json() if "json" in response.headers.get("content-type", "") else response.text

    def watch(self, url: str, what: str) -> None:
        """Print the address of a page on which a person can watch the step."""
        self.say(f"    watch       {url}  {what}")

    def see(self, expected: str, seen: object, holds: bool) -> None:
        """Print the expected and the actual result; raise `NotAsExpected` unless it *holds*."""
        self.say(f"    should see  {expected}\n    saw         {in_words(seen)}")
        if not holds:
            raise NotAsExpected(f"expected {expected}; saw {in_words(seen)}")

    def await_seen(self, expected: str, look: Callable[[], object], wanted: object) -> None:
        """Like `see`, for a result that takes a while: call *look* until it returns *wanted*."""
        within(SECONDS, lambda: look() == wanted)
        seen = look()
        self.see(expected, seen, seen == wanted)

    def rows(self, statement: str) -> list[list[str]]:
        """Like `sql`, but prints nothing, for polling. A table that does not exist gives no rows."""
        with self._lab.mariadb.connect() as connection, connection.cursor() as cursor:
            try:
                cursor.execute(statement)
            except pymysql.MySQLError as error:
                if error.args[0] not in (ER.NO_SUCH_TABLE, ER.BAD_DB_ERROR):
                    raise
                return []
            return [[str(value) for value in row] for row in cursor.fetchall()]

    def failures(self) -> list[str]:
        """The status lines of FAILED connectors and tasks: often the reason why a record is missing."""
        done = subprocess.run(
            service(["connectors", "status"]),
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return [line for line in done.stdout.splitlines() if "FAILED" in line]

    @contextmanager
    def open(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """Run a tool in the background for as long as the block lasts, as in a second terminal."""
        self._type(shown(["python", "-m", "lab", *words]))
        with ended(
            subprocess.Popen(
                tool(self._lab, words),
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
    def running(self, command: str, logs: Path, **settings: str) -> Iterator[None]:
        """Run a process of the service in the background for as long as the block lasts."""
        self._type(f"{shown(['orders-service', command], settings)} &")
        log = logs / f"{command}-{uuid4().hex[:4]}.log"
        process = Process(command, service([command]), self._environment | settings, log)
        process.start()
        try:
            yield
        finally:
            process.end()

    def await_ready(self, url: str) -> None:
        def is_ready() -> bool:
            try:
                return self._http.get(f"{url}/readyz").status_code == 200
            except httpx.TransportError:
                return False

        if not within(SECONDS, is_ready):
            raise NotAsExpected(f"the API does not answer at {url}")

    def _type(self, command: str, typed: str | None = None) -> None:
        self.say(f"  $ {command}" + "".join(f"\n  > {line}" for line in (typed or "").splitlines()))
        if self._pause:
            self._pause()

    def _run(
        self,
        command: str,
        words: Sequence[str],
        settings: Mapping[str, str] | None = None,
        *,
        typed: str | None = None,
        quiet: bool = False,
    ) -> str:
        if not quiet:
            self._type(command, typed)
        done = subprocess.run(
            words,
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
                f"`{command}` ended with {done.returncode}: {_last(done.stderr or done.stdout)}"
            )
        if not quiet:
            self._show(done.stdout)
        return done.stdout

    def _show(self, answer: str) -> None:
        for line in readable(answer):
            self.say(f"  {line}")


def _last(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
