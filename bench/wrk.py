"""A load of HTTP requests, made by wrk."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Load:
    """What a load met with. Latencies are in milliseconds."""

    requests: int
    seconds: float
    failed: int
    p50: float
    p99: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def load(url: str, script: str, *, connections: int, seconds: int, replays: int = 0) -> Load:
    """Send requests over *connections* for *seconds*, each as soon as the last is answered.

    *replays* of a hundred orders are sent with a key that was used before.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(HERE / script), url]
    environment = os.environ | {"REPLAYS": str(replays), "REPORT": str(HERE / "report.lua")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return Load(**json.loads(done.stdout.splitlines()[-1]))


def is_installed() -> bool:
    """Whether there is a wrk to be found."""
    return shutil.which("wrk") is not None
