"""How long a command takes to start, and how much memory `run` takes."""

import http.client
import subprocess
import time

from bench.stage import Stage
from lab import Ports
from rig.processes import service


def help_command() -> dict[str, float]:
    """Seconds until the list of commands is printed."""
    began = time.monotonic()
    subprocess.run(service("--help"), check=True, stdout=subprocess.DEVNULL)
    return {"seconds": time.monotonic() - began}


def run_command(stage: Stage) -> dict[str, float]:
    """Seconds until `run` is ready, with an empty state folder; the megabytes of its processes then."""
    port = Ports.free().connect
    state = stage.folder / f"run-{port}"
    plain = dict.fromkeys(stage.environment, "")
    process = stage.add("run", service("run"), **plain | {"STATE_DIR": str(state), "API_PORT": str(port)})
    began = time.monotonic()
    process.start(lambda: _ready(port))
    seconds = time.monotonic() - began
    megabytes = sum(process.memory()) / 1e6
    process.end()
    return {"seconds": seconds, "megabytes": megabytes}


def _ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()
