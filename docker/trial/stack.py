"""The stack of `docker/compose.yaml`, under a project name of its own, so that it does not touch another."""

import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from rig.waiting import wait
from trial.engine import Engine
from trial.shell import ROOT, TrialError, run, say, step, warn

PROJECT = "orders-try"
IMAGE = "orders-service:try"
LIMIT_BYTES = 2 * 1024**3
UP_SECONDS = 180
HEALTHY_SECONDS = 180
# The services of the profile `observability`. Each publishes one port, on a network that is not internal.
OBSERVERS = ("prometheus", "alertmanager", "jaeger", "grafana")
KILLED = 137  # The exit code of a process that did not end within its grace period.


def files_of(profile: str) -> list[str]:
    """The words with which `docker compose` finds the files of a profile."""
    compose = ["--file", "docker/compose.yaml"]
    if profile == "cells":
        return [*compose, "--file", "docker/cells.yaml"]
    return compose if profile == "default" else [*compose, "--env-file", f"docker/{profile}.env"]


@dataclass(frozen=True)
class Container:
    """One container of the stack."""

    id: str
    service: str
    name: str


@dataclass(frozen=True)
class Stack:
    """A running stack with one profile."""

    engine: Engine
    profile: str
    secrets: Path
    ports: Mapping[str, int]  # The published port of each service that may have one, and of the page.

    @property
    def port(self) -> int:
        """The port of the gateway."""
        return self.ports["gateway"]

    @property
    def urls(self) -> list[str]:
        """The URL of every gateway."""
        names = ["gateway", "gateway-2"] if self.profile == "ha" else ["gateway"]
        return [f"http://127.0.0.1:{self.ports[name]}" for name in names]

    def compose(self, *words: str, seconds: float = 600) -> str:
        """What `docker compose …` prints."""
        files = ["--project-name", PROJECT, *files_of(self.profile)]
        env = {
            **self.engine.env,
            "STACK_SECRETS": str(self.secrets),
            "STACK_SETTINGS": os.devnull,
            "STACK_IMAGE": IMAGE,
            "STACK_API": f"127.0.0.1:{self.port}",
            "STACK_UI": f"127.0.0.1:{self.ports['page']}",
            "STACK_API_2": f"127.0.0.1:{self.ports['gateway-2']}",
            "STACK_UI_1": f"127.0.0.1:{self.ports['page-1']}",
            "STACK_UI_2": f"127.0.0.1:{self.ports['page-2']}",
            **{f"STACK_{name.upper()}": f"127.0.0.1:{self.ports[name]}" for name in OBSERVERS},
        }
        return run([*self.engine.compose, *files, *words], env=env, seconds=seconds)

    def token(self, user: str, scope: str) -> str:
        """A new token for the API, made as a person makes one."""
        made = ("orders-service", "token", "--user", user, "--scope", scope)
        return self.compose("exec", "--no-TTY", "api", *made).strip()

    def down(self) -> None:
        """Remove the stack and its data."""
        self.compose("down", "--volumes", "--remove-orphans", "--timeout", "20")

    def containers(self) -> list[Container]:
        """The running containers, sorted by name."""
        ids = self.compose("ps", "--quiet").split()
        labels = '{{index .Config.Labels "com.docker.compose.service"}}'
        lines = [self.engine.docker("inspect", "--format", f"{labels} {{{{.Name}}}}", id_) for id_ in ids]
        found = [Container(id_, *line.split()) for id_, line in zip(ids, lines, strict=True)]
        return sorted(found, key=lambda one: one.name)

    def inspect(self, container: Container) -> dict[str, object]:
        """What `docker inspect` prints about a container."""
        known: dict[str, object] = json.loads(self.engine.docker("inspect", container.id))[0]
        return known

    def kill(self, *containers: Container) -> None:
        """Kill containers with SIGKILL, as in a crash."""
        self.engine.docker("kill", *(container.id for container in containers))

    def stop(self, container: Container) -> None:
        """Stop a container. It must end by itself within its grace period."""
        self.engine.docker("stop", container.id)
        code = int(self.engine.docker("inspect", "--format", "{{.State.ExitCode}}", container.id))
        if code == KILLED:
            raise TrialError(f"{container.service} did not end within its grace period and was killed")

    def start(self, container: Container) -> None:
        """Start a container, and wait until it is healthy."""
        self.engine.docker("start", container.id)
        if not wait(lambda: self._health(container) == "healthy", seconds=HEALTHY_SECONDS, pause=0.3):
            raise TrialError(f"{container.service} is {self._health(container)} long after its start")

    def sql(self, statement: str) -> list[list[str]]:
        """The rows of a query, run as root by the client in MariaDB's container."""
        password = (self.secrets / "mariadb_root_password").read_text()
        client = ["mariadb", "--user=root", "--batch", "--raw", "--skip-column-names", "--execute", statement]
        said = self.compose("exec", "--no-TTY", "--env", f"MYSQL_PWD={password}", "mariadb", *client)
        return [line.split("\t") for line in said.splitlines()]

    def _health(self, container: Container) -> str:
        return self.engine.docker("inspect", "--format", "{{.State.Health.Status}}", container.id).strip()


@contextmanager
def stack(engine: Engine, profile: str, secrets: Path, *, scale: str) -> Iterator[Stack]:
    """Start the stack with a profile, and remove it at the end. If something fails, print the logs."""
    names = ("gateway", "page", "page-1", "gateway-2", "page-2", *OBSERVERS)
    ports = dict(zip(names, _free_ports(len(names)), strict=True))
    one = Stack(engine, profile, secrets, ports)
    _check_limits(one)
    one.down()  # Remove what a killed trial has left.
    os.sync()  # Otherwise the first writes of the database wait for the unpacked images.
    began = time.monotonic()
    try:
        with step("up"):
            if profile == "ha":
                one.compose("run", "--rm", "--no-deps", "mariadb", "bootstrap")
            one.compose("up", "--wait", "--wait-timeout", str(UP_SECONDS), "--scale", scale)
        say(f"{profile}: up and healthy in {time.monotonic() - began:.0f} s")
        yield one
    except Exception:
        _show_logs(one)
        raise
    finally:
        one.down()


def _check_limits(one: Stack) -> None:
    """Every service has a memory limit, and the default profile fits a small machine."""
    services = json.loads(one.compose("config", "--format", "json"))["services"]
    unbounded = [name for name, service in services.items() if "mem_limit" not in service]
    if unbounded:
        raise TrialError(f"services without a memory limit: {', '.join(unbounded)}")
    total = sum(int(service["mem_limit"]) * service.get("scale", 1) for service in services.values())
    if one.profile == "default" and total >= LIMIT_BYTES:
        raise TrialError(f"the memory limits add up to {total / 2**20:.0f} MiB")
    say(f"{one.profile}: the memory limits add up to {total / 2**20:.0f} MiB")


def make_secrets(folder: Path) -> None:
    """Create new passwords with the script that a person uses."""
    run([ROOT / "docker/make-secrets", folder])


def _show_logs(one: Stack) -> None:
    """Print the last lines of every container that is not well; of all if all are well."""
    try:
        ids = one.compose("ps", "--all", "--quiet").split()
        known = [json.loads(one.engine.docker("inspect", id_))[0] for id_ in ids]
        ill = [container for container in known if not _is_well(container["State"])]
        for container in ill or known:
            state = container["State"]
            warn(f"--- {container['Name'].lstrip('/')}: {state['Status']}, exit code {state['ExitCode']}")
            lines = run(["sh", "-c", f"docker logs --tail 500 {container['Id']} 2>&1"], env=one.engine.env)
            said = [line[:300] for line in lines.splitlines() if "GET /" not in line]  # Health checks.
            warn("\n".join(said[-20:]))
            if checks := (state.get("Health") or {}).get("Log"):
                warn(f"health check: {checks[-1]['Output'].strip() or checks[-1]['ExitCode']}")
    except TrialError as error:
        warn(f"(the logs cannot be shown: {error})")


def _is_well(state: dict[str, object]) -> bool:
    health = state.get("Health")
    if state["Status"] == "running":
        return not isinstance(health, dict) or health["Status"] == "healthy"
    return state["Status"] == "exited" and state["ExitCode"] == 0


def _free_ports(count: int) -> list[int]:
    with ExitStack() as open_:
        probes = [open_.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
