"""HAProxy with docker/haproxy.cfg, in front of one API on this machine."""

import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab import Ports
from lab.ports import is_free
from rig.processes import Process

CONFIG = Path(__file__).resolve().parents[2] / "docker" / "haproxy.cfg"


@contextmanager
def gateway(folder: Path, api: int, text: str | None = None) -> Iterator[int]:
    """Run a gateway in front of the port *api*; its own port, once it answers. The page has the next port.

    *text* is its configuration, if it is not that of the file.
    """
    program = shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin:/usr/bin:/bin:/usr/local/bin")
    if program is None:
        raise SystemExit("HAProxy is needed. On Debian: apt-get install haproxy")
    port = _free_pair()
    config = folder / "haproxy.cfg"
    config.write_text(configured(text or CONFIG.read_text(), port, api))
    process = Process("haproxy", [program, "-W", "-db", "-f", str(config)], {}, folder / "haproxy.log")
    try:
        process.start(lambda: not is_free(port))
        time.sleep(2)  # HAProxy checks the API twice, one second apart.
        yield port
    finally:
        process.end()


def configured(text: str, port: int, api: int) -> str:
    """*text* with one API of this machine instead of those that Docker's DNS lists."""
    text = re.sub(r"^resolvers docker\n(?: .*\n)+", "", text, flags=re.MULTILINE)
    text = re.sub(r"server-template .*", f"server api1 127.0.0.1:{api}", text)
    for old, new in ((8000, port), (8001, port + 1)):
        text, binds = re.subn(rf"bind :{old}\b", f"bind 127.0.0.1:{new}", text)
        assert binds == 1, f"docker/haproxy.cfg no longer listens on :{old}"
    return text


def _free_pair() -> int:
    """A free port, after which the next one is free, too."""
    while not is_free((port := Ports.free().connect) + 1):
        pass
    return port
