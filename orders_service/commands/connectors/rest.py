"""A client for the part of Kafka Connect's REST interface that we use."""

import json
import os
import re
import time
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click
import httpx

PLACEHOLDER = re.compile(r"\$\{([A-Z][A-Z0-9_]*)\}")  # `${routedByValue}` belongs to Connect and is kept.
FOLDER = Path(str(files("orders_service"))) / "connectors"  # Package data; config/connectors links to it.
REQUEST_SECONDS = 30
RUNNING_SECONDS = 60
FAILED_SECONDS = 3  # Connect reports a task that is being restarted as FAILED until it has started.
LOOK_SECONDS = 0.2

Config = dict[str, str]


class ConnectError(click.ClickException):
    """An error of Kafka Connect or of a connector file, in one line. The command ends with exit code 1."""


def load(name: str, folder: Path = FOLDER, environment: Mapping[str, str] = os.environ) -> Config:
    """Read the configuration of connector *name* from its file and fill in its `${PLACEHOLDERS}`.

    Raises `ConnectError` if the file is missing or invalid, or if *environment* lacks a placeholder.
    """
    path = folder / f"{name}.json"
    try:
        config = json.loads(path.read_text())
    except FileNotFoundError:
        known = ", ".join(sorted(file.stem for file in folder.glob("*.json"))) or f"none in {folder}"
        raise ConnectError(f"connector {name} does not exist. Known connectors: {known}") from None
    except (OSError, ValueError) as error:
        raise ConnectError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict) or not all(isinstance(value, str) for value in config.values()):
        raise ConnectError(f"{path} is not a JSON object with only strings as values")
    missing = sorted(
        {m for value in config.values() for m in PLACEHOLDER.findall(value)} - environment.keys()
    )
    if missing:
        raise ConnectError(f"{path} needs these environment variables: {', '.join(missing)}")
    return {key: PLACEHOLDER.sub(lambda m: environment[m[1]], value) for key, value in config.items()}


class Connect:
    """A Connect cluster at *url*."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._http = httpx.Client(base_url=url, timeout=REQUEST_SECONDS)

    def names(self) -> list[str]:
        """The names of all connectors, sorted."""
        return sorted(self._ask("GET", "/connectors").json())

    def config(self, name: str) -> Config | None:
        """The configuration of a connector, or None if the connector does not exist."""
        response = self._ask("GET", f"{_path(name)}/config", allowed=(404,))
        config: Config = response.json()
        return None if response.status_code == 404 else config

    def validate(self, name: str, config: Config) -> None:
        """Raise `ConnectError`, with the first reason, if Connect would refuse this configuration."""
        kind = config.get("connector.class", "")
        if kind not in {plugin["class"] for plugin in self._ask("GET", "/connector-plugins").json()}:
            raise ConnectError(
                f"{name}: Kafka Connect at {self._url} has no plugin {kind!r}. Add it to its plugin.path"
            )
        path = f"/connector-plugins/{kind.rpartition('.')[2]}/config/validate"
        response = self._ask("PUT", path, json=config | {"name": name})
        for entry in response.json()["configs"]:
            value = entry["value"]
            if value["errors"]:
                raise ConnectError(f"{name}: {value['name']}: {_line(value['errors'][0])}")

    def put(self, name: str, config: Config) -> None:
        """Create the connector, or change its configuration to *config*. Safe to repeat."""
        self._ask("PUT", f"{_path(name)}/config", json=config)

    def delete(self, name: str) -> None:
        """Delete the connector. Connect keeps its source offsets."""
        self._ask("DELETE", _path(name))

    def restart(self, name: str, *, only_failed: bool = False) -> None:
        """Restart the connector and its tasks, or only the FAILED ones among them."""
        failed = str(only_failed).lower()
        self._ask("POST", f"{_path(name)}/restart?includeTasks=true&onlyFailed={failed}", allowed=(404,))

    def states(self, name: str) -> list[tuple[str, str, str]]:
        """The state of the connector and of each task: (part, state, cause if FAILED).

        The part is `connector`, `task 0`, and so on. The cause is the root cause of the stack trace.
        """
        status = self._ask("GET", f"{_path(name)}/status").json()
        parts = [("connector", status["connector"])]
        parts += [(f"task {task['id']}", task) for task in status["tasks"]]
        return [(part, known["state"], _cause(known.get("trace", ""))) for part, known in parts]

    def await_running(self, name: str) -> None:
        """Wait until the connector and its tasks are RUNNING; raise `ConnectError` if one has FAILED.

        The wait ends with an error after `RUNNING_SECONDS`, or after `FAILED_SECONDS` in the state FAILED.
        """
        began = time.monotonic()
        failed_since = None
        while True:
            states = self._states_if_known(name)
            failed = next(((part, cause) for part, state, cause in states if state == "FAILED"), None)
            if failed is None:
                failed_since = None
            elif failed_since is None:
                failed_since = time.monotonic()
            elif time.monotonic() - failed_since > FAILED_SECONDS:
                advice = f"Correct the cause, then run: orders-service connectors apply {name}"
                raise ConnectError(f"{name}: {failed[0]} FAILED: {failed[1]}. {advice}")
            if len(states) > 1 and all(state == "RUNNING" for _, state, _ in states):
                return
            if time.monotonic() - began > RUNNING_SECONDS:
                raise ConnectError(f"{name}: not RUNNING after {RUNNING_SECONDS} s: {states}")
            time.sleep(LOOK_SECONDS)

    def _states_if_known(self, name: str) -> list[tuple[str, str, str]]:
        response = self._ask("GET", f"{_path(name)}/status", allowed=(404,))
        return [] if response.status_code == 404 else self.states(name)

    def _ask(
        self, method: str, path: str, *, json: Any = None, allowed: tuple[int, ...] = ()
    ) -> httpx.Response:
        deadline = time.monotonic() + REQUEST_SECONDS
        while True:
            try:
                response = self._http.request(method, path, json=json)
            except httpx.HTTPError as error:
                raise ConnectError(f"Kafka Connect does not answer at {self._url}: {error}") from error
            if response.status_code != 409 or time.monotonic() > deadline:
                break
            time.sleep(LOOK_SECONDS)  # 409: the workers of Connect are rebalancing.
        if response.is_error and response.status_code not in allowed:
            raise ConnectError(f"Kafka Connect refused the request: {_line(_message(response))}")
        return response


def _path(name: str) -> str:
    return f"/connectors/{quote(name, safe='')}"


def _message(response: httpx.Response) -> str:
    try:
        return str(response.json()["message"])
    except (ValueError, KeyError, TypeError):
        return f"{response.status_code} {response.text}"


def _cause(trace: str) -> str:
    """The root cause in a Java stack trace: its last `Caused by:` line."""
    causes = [line for line in trace.splitlines() if line.startswith("Caused by: ")]
    first = causes[-1].removeprefix("Caused by: ") if causes else trace.partition("\n")[0]
    return _line(first)


def _line(text: str) -> str:
    return " ".join(text.split())
