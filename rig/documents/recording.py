"""Runs the service in a folder of its own, sends it the samples with curl, and keeps the answers."""

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from werkzeug.routing import Rule

from lab import Ports
from orders_service import resources
from orders_service.api.app import create_app
from orders_service.broker_client import broker
from orders_service.contract.problems import ProblemType
from orders_service.orders.service import new_order_id
from orders_service.settings import Settings
from rig import waiting
from rig.documents.samples import DETAILS, SAMPLES, SHOWN, Sample
from rig.processes import Process, service

IDS = {"a": new_order_id("ann", "basket-17"), "b": new_order_id("ann", "basket-18")}
CREATED_AT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(\d{3})?\+00:00")
REQUEST_ID = re.compile(r"/requests/[0-9a-f-]{36}")
ANSWER_MS = re.compile(r'"answerMs":[0-9.]+')
A_REQUEST = "/requests/019acf3a-7c3d-7b41-9d1e-5a2f8c6b0e47"
A_TIME = "2026-11-29T09:30:00.125+00:00"
EVENT_TIME = "2026-11-29T09:30:00.125000Z"
PORT = 8000  # In the recorded answers, whatever port the service had.


@dataclass(frozen=True)
class Answer:
    """An answer: its status line, the headers that matter, and its body."""

    line: str
    headers: tuple[tuple[str, str], ...]
    body: str

    @property
    def status(self) -> int:
        return int(self.line.split()[1])

    @property
    def value(self) -> Any:
        """The body, parsed if it is JSON."""
        return json.loads(self.body) if self.body[:1] in ("{", "[") else self.body


@dataclass
class Recording:
    """The app's routes, the answers to the samples, and a record of each type of event.

    Times are replaced. The ids of orders come from idempotency keys, so they are always the same.
    """

    rules: list[Rule]
    answered: list[tuple[Sample, Answer]] = field(default_factory=list)
    events: dict[str, dict[str, Any]] = field(default_factory=dict)

    def answers(self, endpoint: str, status: int) -> dict[str, Any]:
        """The OpenAPI examples of an endpoint's answers with this status."""
        found = [(each, answer) for each, answer in self.answered if each.endpoint == endpoint]
        return {
            _name(each): {"summary": each.title, "value": answer.value}
            for each, answer in found
            if answer.status == status and each.title
        }

    def bodies(self, endpoint: str) -> dict[str, Any]:
        """The OpenAPI examples of an endpoint's requests that are on the page."""
        found = [each for each, _ in self.answered if each.endpoint == endpoint and each.title and each.body]
        return {_name(each): {"summary": each.title, "value": json.loads(each.body)} for each in found}

    def problem(self, kind: ProblemType) -> Any:
        """The JSON of a problem: the first one that was recorded, or one with the code's `detail`."""
        for _, answer in self.answered:
            if answer.status >= 400 and answer.value["type"] == kind.uri:
                return answer.value
        detail = DETAILS.get(kind.slug, kind.meaning)
        told = {"type": kind.uri, "title": kind.title, "status": kind.status, "detail": detail}
        return told | {"instance": A_REQUEST}


def record(folder: Path) -> Recording:
    """Run the service in *folder* and record it."""
    with running(folder) as settings:
        recording = Recording(list(create_app(settings).url_map.iter_rules()))
        for sample in SAMPLES:
            recording.answered.append((sample, _answer(sample, settings.api_port)))
        recording.events = dict(_events(settings))
    return recording


@contextmanager
def running(folder: Path, **environment: str) -> Iterator[Settings]:
    """`orders-service run` in *folder*, on a free port."""
    environment = {"STATE_DIR": str(folder), "API_PORT": str(Ports.free().connect)} | environment
    settings = Settings.read(environment)
    url = f"http://127.0.0.1:{settings.api_port}/readyz"
    process = Process("run", service("run"), environment, folder / "run.log")
    try:
        process.start(lambda: _answers(url))
        yield settings
    finally:
        process.end()


def curl(sample: Sample, port: int) -> list[str]:
    """The command that sends a sample."""
    target = sample.target.format(**IDS) if "{" in sample.target else sample.target
    words = ["curl", "-i", f"localhost:{port}{target}"]
    if sample.method != ("POST" if sample.body else "GET"):
        words[2:2] = ["-X", sample.method]
    for line in sample.headers:
        words += ["-H", line]
    return [*words, "-d", sample.body] if sample.body else words


def _answer(sample: Sample, port: int) -> Answer:
    found: list[Answer] = []

    def is_there() -> bool:
        command = [*curl(sample, port), "--silent", "--show-error", "--globoff"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found.append(
            _parsed(done.stdout.replace(f":{port}", f":{PORT}").replace(f"PORT {port}", f"PORT {PORT}"))
        )
        return sample.awaited in found[-1].body

    waiting.await_true(is_there, f"{sample.awaited} is in the answer to {sample.target}")
    return found[-1]


def _parsed(text: str) -> Answer:
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    line, *lines = head.split("\n")
    headers = [(name, value) for name, _, value in (each.partition(": ") for each in lines)]
    return Answer(
        line,
        tuple((name, value) for name, value in headers if name.lower() in SHOWN),
        ANSWER_MS.sub('"answerMs":9.1', REQUEST_ID.sub(A_REQUEST, CREATED_AT.sub(_a_time, body))),
    )


def _a_time(found: re.Match[str]) -> str:
    """The time that stands for each other one, with milliseconds or microseconds as it had."""
    return A_TIME.replace(".125", ".125482") if found[1] else A_TIME


def _events(settings: Settings) -> Iterator[tuple[str, dict[str, Any]]]:
    """A record of each type of event, from the log: the first one."""
    reader = broker(settings).read(resources.topics(settings).names, from_start=True)
    seen: set[str] = set()
    while records := reader.poll(seconds=0):
        for each in sorted(records, key=lambda each: each.offset):
            headers = {name: (value or b"").decode() for name, value in each.headers} | {
                "ce_time": EVENT_TIME
            }
            if headers["ce_type"] not in seen:
                seen.add(headers["ce_type"])
                value = json.loads(each.value or b"")
                yield (
                    headers["ce_type"],
                    {"key": (each.key or b"").decode(), "headers": headers, "payload": value},
                )
    reader.close()


def _answers(url: str) -> bool:
    try:
        return httpx.get(url).status_code == 200
    except httpx.TransportError:
        return False


def _name(sample: Sample) -> str:
    return re.sub("[^a-z]+", "-", sample.title.lower()).strip("-")
