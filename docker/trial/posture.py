"""The rights and limits of the containers: user, capabilities, networks, memory."""

import http.client

from trial.engine import Engine
from trial.shell import TrialError, say
from trial.stack import OBSERVERS, Stack

GATEWAYS = ("gateway", "gateway-1", "gateway-2", "cells")  # A profile has some of them.
# This runs in the image. It fails if it finds something that only an attacker could use.
UNWANTED = """
import importlib.util, os, shutil, sys
tools = [name for name in ("cc", "gcc", "make", "curl") if shutil.which(name)]
names = ("pip", "flit_core", "lab", "rig", "tests", "pytest")
modules = [name for name in names if importlib.util.find_spec(name)]
writable = [path for path in ("/app", sys.prefix, "/etc", "/usr") if os.access(path, os.W_OK)]
sys.exit(str(tools + modules + writable) if os.getuid() == 0 or tools or modules or writable else 0)
"""

# This runs in the container of an API, which answers paths that the gateway hides.
ASK = """
import sys
from urllib.request import Request, urlopen
def ask(path):
    token = {"Authorization": f"Bearer {sys.argv[1]}"}
    return urlopen(Request(f"http://localhost:8000{path}", headers=token)).status
print([ask(path) for path in ("/metrics", "/readyz")])
"""


def check_image(docker: Engine, image: str) -> None:
    """Raise `TrialError` if the image contains unwanted programs or modules, or runs as root."""
    network = ["--network", "none", "--rm", "--read-only", "--cap-drop", "ALL"]
    docker.docker("run", *network, "--entrypoint", "python", image, "-c", UNWANTED)
    said = docker.docker("run", *network, image, "--version").strip()
    say(f"  {said}: not root, no compiler, no pip, no lab, no writable path")


def check(stack: Stack) -> None:
    """Raise `TrialError` unless every container has a memory limit and no right that it does not need."""
    for container in stack.containers():
        known = stack.inspect(container)
        host = known["HostConfig"]
        assert isinstance(host, dict)
        faults = {
            "a root file system that can be written": not host["ReadonlyRootfs"],
            "capabilities": host["CapDrop"] != ["ALL"] or bool(host["CapAdd"]),
            "new privileges": "no-new-privileges:true" not in host["SecurityOpt"],
            "no memory limit": not host["Memory"],
            "root as its user": stack.engine.docker("exec", container.id, "id", "-u").strip() == "0",
        }
        if found := [fault for fault, is_so in faults.items() if is_so]:
            raise TrialError(f"{container.service} has {', '.join(found)}")
    _check_reach(stack)
    say("  every container: not root, read-only root, no capability, no new privileges, bounded memory")


def _check_reach(stack: Stack) -> None:
    """Raise `TrialError` unless only the gateway is reachable, and it hides metrics and readiness.

    Those who observe have pages of their own, published to this machine.
    """
    reachable = (*GATEWAYS, *OBSERVERS)
    for container in stack.containers():
        known = stack.inspect(container)
        settings = known["NetworkSettings"]
        assert isinstance(settings, dict)
        outward = [name for name in settings["Networks"] if not _is_internal(stack, name)]
        if bool(outward) != (container.service in reachable):
            raise TrialError(f"{container.service} is on {', '.join(outward) or 'internal networks only'}")
        published = [port for port, bound in settings["Ports"].items() if bound]
        if bool(published) != (container.service in reachable):
            raise TrialError(f"{container.service} publishes these ports: {published}")
    asked = ("exec", "--no-TTY", "api", "python", "-c", ASK, stack.token("monitor", "orders:operate"))
    if (said := stack.compose(*asked).strip()) != "[200, 200]":
        raise TrialError(f"/metrics and /readyz are answered {said} inside")
    if (found := status(stack.port, "/order-service/kim/orders")) != 401:
        raise TrialError(f"a request without a token is answered {found}")
    for path in ("/metrics", "/readyz", "/actuator/health", "/%6detrics", "/ui", "/admin/orders"):
        if (found := status(stack.port, path)) != 404:
            raise TrialError(f"the gateway answers {path} with {found}")
    _check_page(stack)
    say(
        "  only the gateway is reachable; it answers neither /metrics nor /readyz, the API inside does;"
        " a request without a token gets 401; the page has a port of its own"
    )


def _check_page(stack: Stack) -> None:
    """Raise `TrialError` unless the port of the page serves it, and its data to an operator only."""
    page, operator = stack.ports["page"], stack.token("monitor", "orders:operate")
    answers = {
        "/ui": status(page, "/ui"),
        "/admin/orders": status(page, "/admin/orders"),
        "/admin/orders with a token": status(page, "/admin/orders", operator),
        "/metrics": status(page, "/metrics", operator),
    }
    if [*answers.values()] != [200, 401, 200, 404]:
        raise TrialError(f"the port of the page answers {answers}")


def _is_internal(stack: Stack, network: str) -> bool:
    return stack.engine.docker("network", "inspect", "--format", "{{.Internal}}", network).strip() == "true"


def status(port: int, path: str, token: str = "") -> int:
    """The status of the answer to a GET."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}"} if token else {})
        return connection.getresponse().status
    finally:
        connection.close()


def tell_memory(stack: Stack) -> None:
    """Print how much of its memory limit each container uses."""
    form = "{{.Name}}\t{{.MemUsage}}"
    lines = stack.engine.docker("stats", "--no-stream", "--format", form, *[c.id for c in stack.containers()])
    used = sorted(line.removeprefix("orders-try-").replace("\t", " ") for line in lines.splitlines())
    say(f"  memory: {'; '.join(used)}")
