"""HAProxy with docker/haproxy.cfg, in front of one API on this machine."""

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import Ports
from lab.ports import is_free

CONFIG = Path(__file__).resolve().parents[2] / "docker" / "haproxy.cfg"
START_SECONDS = 20


@contextmanager
def gateway(folder: Path, api: int) -> Iterator[int]:
    """The port of a gateway that passes requests to the port *api*, once it answers."""
    program = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin:/usr/local/bin")
    if program is None:
        raise SystemExit("HAProxy is needed. On Debian: apt-get install haproxy")
    port = Ports.free().connect
    config = folder / "haproxy.cfg"
    config.write_text(configured(port, api))
    with (folder / "haproxy.log").open("wb") as log:
        process = subprocess.Popen([program, "-W", "-db", "-f", str(config)], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + START_SECONDS
        while is_free(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"HAProxy did not start:\n{(folder / 'haproxy.log').read_text()[-2000:]}")
            time.sleep(0.05)
        time.sleep(2)  # Two checks of the API, one second apart.
        yield port
    finally:
        process.terminate()
        process.wait(20)


def configured(port: int, api: int) -> str:
    """docker/haproxy.cfg with one API of this machine instead of those that Docker's name server knows."""
    text = re.sub(r"^resolvers docker\n(?: .*\n)+", "", CONFIG.read_text(), flags=re.MULTILINE)
    text = re.sub(r"server-template .*", f"server api1 127.0.0.1:{api}", text)
    text, binds = re.subn(r"bind :8000", f"bind 127.0.0.1:{port}", text)
    assert binds == 1, "docker/haproxy.cfg no longer listens on :8000"
    return text
