"""How long a command takes to start, and how much memory `run` takes."""

import subprocess
import time

from bench.stage import Stage
from lab import Ports
from rig.customers import answers
from rig.processes import Process, service


def help_command() -> dict[str, float]:
    """Seconds until the list of commands is printed."""
    began = time.monotonic()
    subprocess.run(service("--help"), check=True, stdout=subprocess.DEVNULL)
    return {"seconds": time.monotonic() - began}


def run_command(stage: Stage) -> dict[str, float]:
    """Seconds until `run` is ready, with an empty state folder; the megabytes of its processes then."""
    port = Ports.free().connect
    state = stage.folder / f"run-{port}"
    environment = {"STATE_DIR": str(state), "API_PORT": str(port)}
    process = Process("run", service("run"), environment, stage.folder / f"run-{port}.log")
    began = time.monotonic()
    process.start(lambda: answers(f"http://127.0.0.1:{port}", "/readyz"))
    seconds = time.monotonic() - began
    megabytes = sum(process.memory()) / 1e6
    process.end()
    return {"seconds": seconds, "megabytes": megabytes}
