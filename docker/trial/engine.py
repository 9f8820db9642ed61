"""A Docker engine: the one at hand, or one of our own for as long as the trial takes."""

import fcntl
import ipaddress
import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from rig.waiting import Deadline
from trial.shell import TrialError, run, say, succeeds, warn
from trial.tools import tool

READY_SECONDS = 60
STOP_SECONDS = 40
# What the machine was like before, for as long as our engine runs. A killed trial leaves it to the next one.
BEFORE = Path("/run/orders-docker.json")
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
# Not those that Docker takes by itself, where another engine's packet rules would meet ours.
ADDRESSES = ipaddress.ip_network("10.197.0.0/16")
# Killed with this process, and with it every container and every mount: its name spaces are its own.
CONFINED = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--mount-proc", "--kill-child"]
BUILD_NETWORK = "host"  # Our engine has none of its own for builds.
PROGRAMS = ("dockerd", "containerd", "runc", "docker", "iptables-save", "ip")
TABLES = {
    "filter": ["INPUT", "FORWARD", "OUTPUT"],
    "nat": ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
}


@dataclass(frozen=True)
class Engine:
    """How to talk to an engine."""

    compose: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    folder: Path | None = None  # Of an engine of our own; what lies in it is gone with it.

    @property
    def own(self) -> bool:
        """Whether it is there only for the trial."""
        return self.folder is not None

    def docker(self, *words: str | Path, stdin: str | None = None, seconds: float = 600) -> str:
        """What `docker …` prints."""
        return run(["docker", *words], env=self.env, stdin=stdin, seconds=seconds)

    def has(self, image: str) -> bool:
        """Whether the engine holds the image."""
        return succeeds(["docker", "image", "inspect", image], env=self.env)

    def build(self, tag: str, context: Path, *words: str) -> None:
        """Build an image."""
        network = ["--network", BUILD_NETWORK] if self.own else []
        self.docker("build", "--quiet", "--tag", tag, *network, *words, context)


@contextmanager
def engine() -> Iterator[Engine]:
    """The engine that `docker` reaches; where there is none, one that is gone afterwards."""
    env = dict(os.environ)
    if shutil.which("docker") and succeeds(["docker", "info"], env=env, seconds=20):
        say(f"the Docker Engine at hand, {_version(env)}")
        yield Engine(_compose(env), env)
        return
    _install()
    with BEFORE.open("a+") as before:
        _claim(before)
        folder = _remember(before)
        try:
            env |= {"DOCKER_HOST": f"unix://{folder}/docker.sock", "DOCKER_CONFIG": f"{folder}/config"}
            env |= {"STACK_BUILD_NETWORK": BUILD_NETWORK}
            _add_compose(folder / "config/cli-plugins")
            with _running(folder, env):
                say(f"no Docker Engine answers here: Debian's own, {_version(env)}, runs for this trial")
                yield Engine(("docker", "compose"), env, folder)
        finally:
            _restore(before)
            BEFORE.unlink()


def apt_install(*packages: str) -> None:
    """Install Debian's packages, and nothing that is only recommended."""
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    run(["apt-get", "update", "-q"], env=env)
    run(["apt-get", "install", "-y", "-q", "--no-install-recommends", *packages], env=env)


def _version(env: Mapping[str, str]) -> str:
    return run(["docker", "version", "--format", "{{.Server.Version}}"], env=env).strip()


def _compose(env: Mapping[str, str]) -> tuple[str, ...]:
    if succeeds(["docker", "compose", "version"], env=env):
        return ("docker", "compose")
    return (str(tool("docker-compose")),)


def _add_compose(plugins: Path) -> None:
    """Let `docker compose` be found."""
    plugins.mkdir(parents=True)
    (plugins / "docker-compose").symlink_to(tool("docker-compose"))


def _install() -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise TrialError(
            "no Docker Engine answers here. Start one, or run this as root on Debian: then it brings its own"
        )
    if not all(map(shutil.which, PROGRAMS)):
        say("installing Debian's docker.io")
        apt_install("docker.io", "iptables", "iproute2")


def _claim(before: TextIO) -> None:
    """One trial at a time, as each puts the packet rules back; and first what a killed one did not."""
    try:
        fcntl.flock(before, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TrialError("another trial runs an engine of its own on this machine") from error
    if BEFORE.stat().st_size:
        say("clearing what a trial left that was killed")
        _restore(before)


def _remember(before: TextIO) -> Path:
    """A new folder for the engine, written down with everything else that must be put back."""
    folder = Path(tempfile.mkdtemp(prefix="orders-docker-"))
    state = {"folder": str(folder), "rules": _rules(), "forwarding": FORWARDING.read_text()}
    before.write(json.dumps(state))
    before.flush()
    return folder


def _restore(before: TextIO) -> None:
    """Make the machine as it was before the engine, which has ended."""
    before.seek(0)
    state = json.load(before)
    for bridge in _bridges():
        run(["ip", "link", "delete", bridge])
    run(["iptables-restore"], stdin=state["rules"])
    FORWARDING.write_text(state["forwarding"])
    shutil.rmtree(state["folder"], ignore_errors=True)
    before.truncate(0)


def _bridges() -> list[str]:
    """The networks with our addresses."""
    links = json.loads(run(["ip", "-json", "address", "show", "type", "bridge"]) or "[]")
    return [
        link["ifname"]
        for link in links
        for address in link.get("addr_info", [])
        if ipaddress.ip_address(address["local"]) in ADDRESSES
    ]


@contextmanager
def _running(folder: Path, env: Mapping[str, str]) -> Iterator[None]:
    process = _start(folder)
    try:
        _await(process, env, folder)
        yield
    finally:
        _stop(process)


def _start(folder: Path) -> "subprocess.Popen[bytes]":
    configuration = {
        "data-root": f"{folder}/data",
        "exec-root": f"{folder}/exec",
        "pidfile": f"{folder}/docker.pid",
        "hosts": [f"unix://{folder}/docker.sock"],
        "bridge": "none",  # So that it does not meet another engine's. Compose makes networks of its own.
        "default-address-pools": [{"base": str(ADDRESSES), "size": 24}],
        "default-ulimits": _limits(),
    }
    (folder / "daemon.json").write_text(json.dumps(configuration))
    with (folder / "dockerd.log").open("wb") as log:
        return subprocess.Popen(
            [*CONFINED, "dockerd", "--config-file", str(folder / "daemon.json")],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def _limits() -> dict[str, dict[str, object]]:
    """Those of this process: inside a sandbox the higher ones that Docker asks for are refused."""
    of = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
    found = {name: resource.getrlimit(number) for name, number in of.items()}
    return {name: {"Name": name, "Soft": soft, "Hard": hard} for name, (soft, hard) in found.items()}


def _await(process: "subprocess.Popen[bytes]", env: Mapping[str, str], folder: Path) -> None:
    deadline = Deadline(READY_SECONDS)
    while not succeeds(["docker", "info"], env=env, seconds=10):
        if process.poll() is not None or deadline.over:
            log = (folder / "dockerd.log").read_text().splitlines()[-20:]
            raise TrialError("\n".join(["the engine does not start:", *log]))
        time.sleep(0.3)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End the engine; when it has ended nothing that it started is there any more."""
    if process.poll() is not None:
        return
    dockerd = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
    os.kill(dockerd, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        warn("the engine does not end by itself and is killed")
        os.kill(dockerd, signal.SIGKILL)
        process.wait()


def _rules() -> str:
    """The packet rules as they are; of a table that is not there yet, those of a new one."""
    saved = run(["iptables-save"])
    for table, chains in TABLES.items():
        if f"*{table}\n" not in saved:
            saved += "\n".join([f"*{table}", *(f":{chain} ACCEPT [0:0]" for chain in chains), "COMMIT\n"])
    return saved
