"""How soon a word is there, and what `run` takes."""

import http.client
import subprocess
import time

from bench.stage import Stage, ours
from lab import Ports


def help_word(stage: Stage) -> dict[str, float]:
    """Seconds until the list of words is printed."""
    began = time.monotonic()
    subprocess.run(ours("--help"), check=True, stdout=subprocess.DEVNULL)
    return {"seconds": time.monotonic() - began}


def run_word(stage: Stage) -> dict[str, float]:
    """Seconds until `run` is ready, from nothing; the megabytes of its processes then."""
    port = Ports.free().connect
    state = stage.folder / f"run-{port}"
    plain = dict.fromkeys(stage.environment, "")
    process = stage.run("run", ours("run"), **plain | {"STATE_DIR": str(state), "API_PORT": str(port)})
    began = time.monotonic()
    process.start(lambda: _ready(port))
    seconds = time.monotonic() - began
    megabytes = sum(process.memory()) / 1e6
    process.stop()
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
