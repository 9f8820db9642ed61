"""Creates a server's data folder atomically: complete, or not at all."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

from .errors import ServerDied
from .private import opened
from .server import Server


def make_data(server: Server, data: Path, command: Callable[[Path, Path], list[str]]) -> None:
    """Create *data* in a temporary folder, then rename it. *command* gets the new folder and a work folder.

    If this process is killed, its command may keep running, so each run uses a temporary folder of its own.
    """
    for left_behind in server.folder.glob("new-*"):
        shutil.rmtree(left_behind, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="new-", dir=server.folder) as work, opened(server.log) as log:
        new = Path(work, "data")
        environment = {**os.environ, **server.environment()}
        done = subprocess.run(
            command(new, Path(work)), env=environment, stdout=log, stderr=log, umask=0o077, check=False
        )
        if done.returncode:
            raise ServerDied(server.name, "could not make its data folder", server.log, server.last_words())
        new.rename(data)
