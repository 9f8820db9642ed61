"""A Docker engine: the one at hand, or one of our own for as long as the trial takes."""

import json
import os
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from trial.shell import TrialError, run, say, succeeds, warn
from trial.tools import tool

READY_SECONDS = 60
STOP_SECONDS = 40
FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
TABLES = {
    "filter": ["INPUT", "FORWARD", "OUTPUT"],
    "nat": ["PREROUTING", "INPUT", "OUTPUT", "POSTROUTING"],
}


@dataclass(frozen=True)
class Engine:
    """How to talk to an engine."""

    own: bool
    compose: tuple[str, ...]
    env: Mapping[str, str] = field(repr=False)

    def docker(self, *words: str | Path, stdin: str | None = None, seconds: float = 600) -> str:
        """What `docker …` prints."""
        return run(["docker", *words], env=self.env, stdin=stdin, seconds=seconds)

    def has(self, image: str) -> bool:
        """Whether the engine holds the image."""
        return succeeds(["docker", "image", "inspect", image], env=self.env)

    def build(self, tag: str, context: Path, *words: str) -> None:
        """Build an image. Our own engine has no network for builds, so they use the machine's."""
        network = ["--network", "host"] if self.own else []
        self.docker("build", "--quiet", "--tag", tag, *network, *words, context)


@contextmanager
def engine() -> Iterator[Engine]:
    """The engine that `docker` reaches; where there is none, one that is gone afterwards."""
    env = dict(os.environ)
    if shutil.which("docker") and succeeds(["docker", "info"], env=env, seconds=20):
        say(f"the Docker Engine at hand, {_version(env)}")
        yield Engine(own=False, compose=_compose(env), env=env)
        return
    _install()
    folder = Path(tempfile.mkdtemp(prefix="orders-docker-"))
    env["DOCKER_HOST"] = f"unix://{folder}/docker.sock"
    rules, forwarding = _rules(), FORWARDING.read_text()
    process = _start(folder)
    try:
        _await(process, env, folder)
        say(f"no Docker Engine answers here: Debian's own, {_version(env)}, runs in a temporary folder")
        yield Engine(own=True, compose=_compose(env), env=env)
    finally:
        _stop(process)
        _unmount(folder)
        run(["iptables-restore"], stdin=rules)
        FORWARDING.write_text(forwarding)
        shutil.rmtree(folder)


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


def _install() -> None:
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise TrialError(
            "no Docker Engine answers here. Start one, or run this as root on Debian: then it brings its own"
        )
    if not all(map(shutil.which, ("dockerd", "containerd", "runc", "docker", "iptables-save"))):
        say("installing Debian's docker.io")
        apt_install("docker.io", "iptables")


def _start(folder: Path) -> "subprocess.Popen[bytes]":
    configuration = {
        "data-root": f"{folder}/data",
        "exec-root": f"{folder}/exec",
        "pidfile": f"{folder}/docker.pid",
        "hosts": [f"unix://{folder}/docker.sock"],
        "bridge": "none",  # So that it does not meet another engine's. Compose makes networks of its own.
        # Not those that Docker takes by itself, where another engine's packet rules would meet ours.
        "default-address-pools": [{"base": "10.197.0.0/16", "size": 24}],
        "default-ulimits": _limits(),
    }
    (folder / "daemon.json").write_text(json.dumps(configuration))
    with (folder / "dockerd.log").open("wb") as log:
        return subprocess.Popen(
            ["dockerd", "--config-file", str(folder / "daemon.json")],
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
    deadline = time.monotonic() + READY_SECONDS
    while not succeeds(["docker", "info"], env=env, seconds=10):
        if process.poll() is not None or time.monotonic() > deadline:
            log = (folder / "dockerd.log").read_text().splitlines()[-20:]
            raise TrialError("\n".join(["the engine does not start:", *log]))
        time.sleep(0.3)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    """End the engine, and with it the containerd that it started."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        warn("the engine does not end by itself and is killed")
        process.kill()
        process.wait()


def _unmount(folder: Path) -> None:
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in sorted((one for one in mounts if one.startswith(f"{folder}/")), reverse=True):
        run(["umount", "--lazy", mount])


def _rules() -> str:
    """The packet rules as they are; of a table that is not there yet, those of a new one."""
    saved = run(["iptables-save"])
    for table, chains in TABLES.items():
        if f"*{table}\n" not in saved:
            saved += "\n".join([f"*{table}", *(f":{chain} ACCEPT [0:0]" for chain in chains), "COMMIT\n"])
    return saved
