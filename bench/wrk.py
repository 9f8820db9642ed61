"""A load of HTTP requests, sent by wrk."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Load:
    """The result of a load. Latencies are in milliseconds."""

    requests: int
    seconds: float
    failed: int
    p50: float
    p99: float

    @property
    def accepted(self) -> int:
        """The requests that were answered with success."""
        return self.requests - self.failed

    def metrics(self, cpu: float) -> dict[str, float]:
        """The metrics of a table; *cpu* is the CPU time, in seconds, of the server during the load."""
        return {
            "rate": self.requests / self.seconds,
            "p50_ms": self.p50,
            "p99_ms": self.p99,
            "cpu_ms": cpu / self.requests * 1000,
            "failed": self.failed,
        }


def load(
    url: str,
    script: str,
    *,
    connections: int,
    seconds: int,
    replays: int = 0,
    tokens: str = "",
    paths: str = "",
) -> Load:
    """Send requests for *seconds*. Each connection sends the next one when the last is answered.

    *replays* percent of the orders are sent with a key that was used before. *tokens* is a file with the
    token of each user, *paths* one with the addresses of `get.lua`.
    """
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", str(HERE / script), url]
    environment = os.environ | {
        "REPLAYS": str(replays),
        "TOKENS": tokens,
        "PATHS": paths,
        "REPORT": str(HERE / "report.lua"),
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return Load(**json.loads(done.stdout.splitlines()[-1]))


def is_installed() -> bool:
    """Whether wrk is on PATH."""
    return shutil.which("wrk") is not None
