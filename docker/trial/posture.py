"""How the containers stand: who they run as, what they may do, what they weigh."""

from trial.engine import Engine
from trial.shell import TrialError, say
from trial.stack import Stack

# Run inside the image: what a service has no use for, and an attacker would have.
UNWANTED = """
import importlib.util, os, shutil, sys
tools = [name for name in ("cc", "gcc", "make", "curl") if shutil.which(name)]
modules = [name for name in ("pip", "flit_core", "lab", "tests", "pytest") if importlib.util.find_spec(name)]
writable = [path for path in ("/app", sys.prefix, "/etc", "/usr") if os.access(path, os.W_OK)]
sys.exit(str(tools + modules + writable) if os.getuid() == 0 or tools or modules or writable else 0)
"""


def check_image(docker: Engine, image: str) -> None:
    """Raise `TrialError` if the image holds what it should not, or runs as root."""
    network = ["--network", "none", "--rm", "--read-only", "--cap-drop", "ALL"]
    docker.docker("run", *network, "--entrypoint", "python", image, "-c", UNWANTED)
    said = docker.docker("run", *network, image, "--version").strip()
    say(f"  {said}: not root, no compiler, no pip, no lab, nothing that it could write")


def check(stack: Stack) -> None:
    """Raise `TrialError` unless every container is bounded and has no more rights than it needs."""
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
    say("  every container: not root, read-only root, no capability, no new privileges, bounded memory")


def tell_memory(stack: Stack) -> None:
    """Say what each container uses of its limit."""
    form = "{{.Name}}\t{{.MemUsage}}"
    lines = stack.engine.docker("stats", "--no-stream", "--format", form, *[c.id for c in stack.containers()])
    used = sorted(line.removeprefix("orders-try-").replace("\t", " ") for line in lines.splitlines())
    say(f"  memory: {'; '.join(used)}")
