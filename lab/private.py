"""Folders and files that only their owner may read."""

import os
import stat
from pathlib import Path
from typing import IO


def private(folder: Path) -> Path:
    """Create *folder* if it does not exist, and set its mode to 0700."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if stat.S_IMODE(folder.stat().st_mode) != 0o700:
        folder.chmod(0o700)
    return folder


def opened(path: Path, mode: str = "ab") -> IO[bytes]:
    """Open a file for writing with mode 0600; by default, append to it."""
    file: IO[bytes] = open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))  # noqa: SIM115
    os.fchmod(file.fileno(), 0o600)
    return file


def write(path: Path, text: str) -> None:
    """Replace the content of a file."""
    with opened(path, "wb") as file:
        file.write(text.encode())
