"""Folders and files that their owner alone may read."""

import os
import stat
from pathlib import Path
from typing import IO


def private(folder: Path) -> Path:
    """Make *folder* if there is none, and close one that others may enter."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if stat.S_IMODE(folder.stat().st_mode) != 0o700:
        folder.chmod(0o700)
    return folder


def opened(path: Path, mode: str = "ab") -> IO[bytes]:
    """Open a file to write, to append to it unless *mode* says otherwise."""
    file: IO[bytes] = open(path, mode, opener=lambda name, flags: os.open(name, flags, 0o600))  # noqa: SIM115
    os.fchmod(file.fileno(), 0o600)
    return file


def write(path: Path, text: str) -> None:
    """Write a file anew."""
    with opened(path, "wb") as file:
        file.write(text.encode())
