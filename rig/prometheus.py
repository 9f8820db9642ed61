"""A real Prometheus and Alertmanager: their programs, and a Prometheus that scrapes processes of a test."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from shutil import which
from types import MappingProxyType
from typing import Any

import httpx

from lab import LabError, Ports
from lab.debian import unpacked
from rig import waiting
from rig.processes import Process

# Each program's package in Debian.
PACKAGES = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
}
HOST = "127.0.0.1"


@cache
def program(name: str) -> Path:
    """A program of Prometheus: from PATH, otherwise from Debian's package, which is unpacked, not installed.

    Raises `LabError` if it cannot be had here.
    """
    if found := which(name):
        return Path(found)
    return unpacked(PACKAGES[name], sys.stderr) / "usr/bin" / name


def said(name: str, *words: str | Path, text: str = "") -> tuple[int, str]:
    """Run a program with *text* as its input; the exit code and everything that it printed."""
    command = [program(name), *words]
    done = subprocess.run(
        command,
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=waiting.seconds(60),
    )
    return done.returncode, done.stdout


@dataclass(frozen=True)
class Sample:
    """One series of an answer, with its newest value."""

    labels: Mapping[str, str]
    value: float


class Prometheus:
    """A Prometheus on loopback that scrapes *jobs* (the ports of each) every second, or each *every* seconds.

    With *rules*, a file, it evaluates them every second.
    """

    def __init__(
        self,
        folder: Path,
        jobs: Mapping[str, Sequence[int]],
        rules: Path | None = None,
        *,
        every: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        self.folder = folder
        self.port = Ports.free().connect
        folder.mkdir(exist_ok=True)
        config = folder / "prometheus.json"  # Prometheus reads YAML, and JSON is YAML.
        config.write_text(json.dumps(_configuration(jobs, rules, every)))
        command = [
            *(str(program("prometheus")), f"--config.file={config}", f"--storage.tsdb.path={folder}/data"),
            *(f"--web.listen-address={HOST}:{self.port}", "--log.level=warn"),
        ]
        self._process = Process("prometheus", command, {}, folder / "prometheus.log")
        self._http = httpx.Client(base_url=f"http://{HOST}:{self.port}", timeout=waiting.seconds(10))

    def __enter__(self) -> "Prometheus":
        self._process.start(self._is_ready)
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()
        self._process.end()

    def query(self, expression: str) -> list[Sample]:
        """The series of an expression, now. Raises `AssertionError` if Prometheus refuses it."""
        found = self._get("query", query=expression)
        if found["resultType"] == "scalar":
            return [Sample({}, float(found["result"][1]))]
        return [Sample(one["metric"], float(one["value"][1])) for one in found["result"]]

    def firing(self) -> set[str]:
        """The names of the alerts that fire now."""
        alerts = self._get("alerts")["alerts"]
        return {alert["labels"]["alertname"] for alert in alerts if alert["state"] == "firing"}

    def await_up(self, *, seconds: float = 30) -> None:
        """Wait until every target answered its last scrape."""

        def all_answer() -> bool:
            targets = self._get("targets")["activeTargets"]
            return bool(targets) and all(target["health"] == "up" for target in targets)

        waiting.await_true(all_answer, "Prometheus scrapes every target", seconds=seconds)

    def _get(self, path: str, **parameters: str) -> Any:
        answer = self._http.get(f"/api/v1/{path}", params=parameters)
        body = answer.json()
        assert body["status"] == "success", f"{parameters}: {body}"
        return body["data"]

    def _is_ready(self) -> bool:
        try:
            return self._http.get("/-/ready").status_code == 200
        except httpx.TransportError:
            return False


def _configuration(
    jobs: Mapping[str, Sequence[int]], rules: Path | None, every: Mapping[str, int]
) -> dict[str, Any]:
    def scrape(job: str, ports: Sequence[int]) -> dict[str, Any]:
        seconds = f"{every.get(job, 1)}s"
        targets = [f"{HOST}:{port}" for port in ports]
        return {
            "job_name": job,
            "scrape_interval": seconds,
            "scrape_timeout": seconds,
            "static_configs": [{"targets": targets}],
        }

    return {
        "global": {"evaluation_interval": "1s"},
        "rule_files": [str(rules)] if rules else [],
        "scrape_configs": [scrape(job, ports) for job, ports in jobs.items()],
    }


def main() -> None:
    """Fetch the programs, and print where they are. `.ci/run` calls it."""
    try:
        for name in PACKAGES:
            print(program(name))
    except LabError as error:
        sys.exit(f"Error: {error}")


if __name__ == "__main__":
    main()
