"""Runs the command `doctor` for the page, and keeps its newest findings for all API processes.

The command runs as a child process: its checks block for seconds, which no event loop may, and some of them
leave threads behind. The results stand in a file without a name, which the processes of a server inherit from
the one that started them. So each shows the newest result, whichever of them ran the doctor, and nobody needs
to remove the file.
"""

import fcntl
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from orders_service.database.columns import utc_now
from orders_service.operations.actions import Request

COMMAND = (sys.executable, "-m", "orders_service", "doctor", "--json")
SECONDS = 60  # The time-out of a run. Every check has one of its own, which is shorter.
PAUSE_SECONDS = 10  # A run may begin so long after the one before has ended.
BYTES = 262_144  # The most that the findings may take. They are about 6 KB.
REQUESTS = 20  # So many of the newest requests with an idempotency key are remembered.
SHARED_MEMORY = Path("/dev/shm")

log = structlog.get_logger()


@dataclass(frozen=True)
class Start:
    """Whether a run was started. *replayed*: an earlier request with the same key got this answer, too."""

    started: bool
    replayed: bool = False


class DoctorRuns:
    """Starts runs of the doctor, one at a time, and returns the newest findings.

    Create it before the API processes are forked: they then share the results. *command* prints a JSON array
    of findings; *clock* is one that all processes of the machine share.
    """

    def __init__(
        self,
        command: Sequence[str] = COMMAND,
        *,
        seconds: float = SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._command = command
        self._seconds = seconds
        self._clock = clock
        self._mutex = threading.Lock()
        parent = SHARED_MEMORY if os.access(SHARED_MEMORY, os.W_OK) else None
        with tempfile.TemporaryFile(dir=parent) as file:
            self._file = os.dup(file.fileno())
        weakref.finalize(self, os.close, self._file)

    def latest(self) -> dict[str, Any]:
        """The newest findings with their time, and whether a run is in progress."""
        with self._locked():
            kept = self._read()
        return {
            "at": kept.get("at"),
            "seconds": kept.get("seconds"),
            "running": self._clock() < kept.get("until", 0),
            "findings": kept.get("findings", []),
        }

    def start(self, request: Request | None = None) -> Start:
        """Start a run, unless one is in progress, or has ended a moment ago.

        A *request* that is repeated with its key starts nothing, and gets the answer that it had.
        """
        name = request and request.key and _digest(request.by, request.key)
        with self._locked():
            kept, now = self._read(), self._clock()
            answered: dict[str, bool] = kept.get("answered", {})
            if name in answered:
                return Start(answered[name], replayed=True)
            started = now >= max(kept.get("until", 0), kept.get("next", 0))
            if name:
                answered[name] = started
                kept["answered"] = dict(list(answered.items())[-REQUESTS:])
            if started:
                # A process that dies during a run cannot note its end, so a run in progress has a deadline.
                kept["until"] = now + self._seconds + PAUSE_SECONDS
            self._write(kept)
        if started:
            threading.Thread(target=self._run, name="doctor", daemon=True).start()
        return Start(started)

    def _run(self) -> None:
        begun, at = self._clock(), utc_now()
        findings = self._findings()
        now = self._clock()
        with self._locked():
            self._write(
                {
                    "at": _shown(at),
                    "seconds": round(now - begun, 1),
                    "findings": findings,
                    "next": now + PAUSE_SECONDS,
                    "answered": self._read().get("answered", {}),
                }
            )

    def _findings(self) -> list[dict[str, Any]]:
        try:
            ended = subprocess.run(
                self._command, stdin=subprocess.DEVNULL, capture_output=True, timeout=self._seconds
            )
            found = json.loads(ended.stdout[: BYTES + 1])
            if len(ended.stdout) <= BYTES and isinstance(found, list):
                return found
        except subprocess.TimeoutExpired:
            return [_failed(f"the doctor did not end within {self._seconds:g} s")]
        except (OSError, ValueError) as error:
            log.error("the doctor failed", error=f"{type(error).__name__}: {error}")
        return [_failed("the doctor ended without findings")]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Lock the file, for microseconds: among threads by the mutex, among processes by `lockf`."""
        with self._mutex:
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                yield
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)

    def _read(self) -> dict[str, Any]:
        try:
            kept: dict[str, Any] = json.loads(os.pread(self._file, 2 * BYTES, 0))
        except ValueError:  # No run yet, or a process was killed while it wrote.
            return {}
        return kept

    def _write(self, kept: dict[str, Any]) -> None:
        text = json.dumps(kept, ensure_ascii=False).encode(errors="replace")
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, text, 0)


def _digest(*texts: str) -> str:
    return hashlib.sha256(json.dumps(texts).encode()).hexdigest()


def _failed(seen: str) -> dict[str, Any]:
    do = "type the command in a terminal, with the settings of the API"
    return {"check": "doctor", "level": "wrong", "seen": seen, "do": do}


def _shown(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="microseconds")
