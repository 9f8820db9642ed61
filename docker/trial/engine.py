"""A Docker Engine: the one on this machine, or a temporary one that exists only during the trial."""

import fcntl
import ipaddress
import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from rig.waiting import wait
from trial.shell import TrialError, run, say, succeeds, warn
from trial.tools import tool

READY_SECONDS = 60
STOP_SECONDS = 40
# The state of the machine before our engine started. After a killed trial, the next one restores it.
BEFORE = Path("/run/orders-docker.json")
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
# Docker's default networks are avoided, because another engine's packet rules may use them.
ADDRESSES = ipaddress.ip_network("10.197.0.0/16")
# The engine is killed with this process. Its containers and mounts end with its own name spaces.
CONFINED = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--pid", "--mount-proc", "--kill-child"]
BUILD_NETWORK = "host"  # Our engine has no network for builds.
PROGRAMS = ("dockerd", "containerd", "runc", "docker", "iptables-save", "ip")
TABLES = {
    "filter": ["INPUT", "FORWARD", "OUTPUT"],
    "nat": ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
}


@dataclass(frozen=True)
class Engine:
    """The commands and the environment that reach an engine."""

    compose: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)
    folder: Path | None = None  # A temporary engine's folder is removed with it.

    @property
    def own(self) -> bool:
        """Whether the engine exists only during the trial."""
        return self.folder is not None

    def docker(self, *words: str | Path, stdin: str | None = None, seconds: float = 600) -> str:
        """Run `docker …`; its output."""
        return run(["docker", *words], env=self.env, stdin=stdin, seconds=seconds)

    def has(self, image: str) -> bool:
        """Whether the engine has the image."""
        return succeeds(["docker", "image", "inspect", image], env=self.env)

    def build(self, tag: str, context: Path, *words: str) -> None:
        """Build an image."""
        network = ["--network", BUILD_NETWORK] if self.own else []
        self.docker("build", "--quiet", "--tag", tag, *network, *words, context)


@contextmanager
def engine() -> Iterator[Engine]:
    """The engine that `docker` reaches; if there is none, a temporary one."""
    env = dict(os.environ)
    if shutil.which("docker") and succeeds(["docker", "info"], env=env, seconds=20):
        say(f"using the Docker Engine of this machine, {_version(env)}")
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
                say(f"no Docker Engine answers here: Debian's, {_version(env)}, runs during this trial")
                yield Engine(("docker", "compose"), env, folder)
        finally:
            _restore(before)
            BEFORE.unlink()


def apt_install(*packages: str) -> None:
    """Install packages of Debian, without recommended ones."""
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
    """Add Compose to Docker's plugins."""
    plugins.mkdir(parents=True)
    (plugins / "docker-compose").symlink_to(tool("docker-compose"))


def _install() -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise TrialError(
            "no Docker Engine answers here. Start one, or run this as root on Debian, where it installs one"
        )
    if not all(map(shutil.which, PROGRAMS)):
        say("installing Debian's docker.io")
        apt_install("docker.io", "iptables", "iproute2")


def _claim(before: TextIO) -> None:
    """Allow one trial at a time, because each restores the packet rules; first those of a killed trial."""
    try:
        fcntl.flock(before, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise TrialError("another trial with its own engine runs on this machine") from error
    if BEFORE.stat().st_size:
        say("removing what a killed trial has left")
        _restore(before)


def _remember(before: TextIO) -> Path:
    """Create a folder for the engine, and store everything that must be restored."""
    folder = Path(tempfile.mkdtemp(prefix="orders-docker-"))
    state = {"folder": str(folder), "rules": _rules(), "forwarding": FORWARDING.read_text()}
    before.write(json.dumps(state))
    before.flush()
    return folder


def _restore(before: TextIO) -> None:
    """Restore the machine after the engine has ended."""
    before.seek(0)
    state = json.load(before)
    for bridge in _bridges():
        run(["ip", "link", "delete", bridge])
    run(["iptables-restore"], stdin=state["rules"])
    FORWARDING.write_text(state["forwarding"])
    shutil.rmtree(state["folder"], ignore_errors=True)
    before.truncate(0)


def _bridges() -> list[str]:
    """The bridges with our addresses."""
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
        "bridge": "none",  # It might collide with another engine's. Compose creates its own networks.
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
    """The limits of this process: a sandbox refuses the higher ones that Docker asks for."""
    of = {"nofile": resource.RLIMIT_NOFILE, "nproc": resource.RLIMIT_NPROC}
    found = {name: resource.getrlimit(number) for name, number in of.items()}
    return {name: {"Name": name, "Soft": soft, "Hard": hard} for name, (soft, hard) in found.items()}


def _await(process: "subprocess.Popen[bytes]", env: Mapping[str, str], folder: Path) -> None:
    def answers() -> bool:
        return succeeds(["docker", "info"], env=env, seconds=10)

    started = wait(lambda: process.poll() is not None or answers(), seconds=READY_SECONDS, pause=0.3)
    if not started or process.poll() is not None:
        log = (folder / "dockerd.log").read_text().splitlines()[-20:]
        raise TrialError("\n".join(["the engine does not start:", *log]))


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End the engine, and with it everything that it started."""
    if process.poll() is not None:
        return
    # psutil is missing here: the trial runs on any Python.
    dockerd = int(Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text())
    os.kill(dockerd, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        warn("the engine does not stop in time and is killed")
        os.kill(dockerd, signal.SIGKILL)
        process.wait()


def _rules() -> str:
    """The current packet rules; for a table that does not exist yet, those of a new one."""
    saved = run(["iptables-save"])
    for table, chains in TABLES.items():
        if f"*{table}\n" not in saved:
            saved += "\n".join([f"*{table}", *(f":{chain} ACCEPT [0:0]" for chain in chains), "COMMIT\n"])
    return saved
