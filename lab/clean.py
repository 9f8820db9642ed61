"""Checks for `make clean` whether any process uses the folders to be removed. Needs only Python."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

REMOVED = (".venv", ".venv-*", "var")


def running(root: Path) -> list[tuple[int, str]]:
    """The pid and command line of each process that uses a folder to be removed."""
    folders = [str(folder) for name in REMOVED for folder in root.glob(name)]
    return [
        (pid, " ".join(words))
        for pid, folder, words, files in _processes()
        if pid not in (os.getpid(), os.getppid())
        and any(_is_in(one, folder, folders) for one in (*words, folder, *files))
    ]


def _is_in(word: str, folder: str, folders: list[str]) -> bool:
    """Whether the argument, or the value after its `=`, is a path in one of the folders."""
    path = os.path.normpath(os.path.join(folder, word.rpartition("=")[2]))
    return any(path == one or path.startswith(f"{one}/") for one in folders)


def _processes() -> Iterator[tuple[int, str, list[str], list[str]]]:
    """All processes that this user may inspect: pid, working directory, command line, open files."""
    if not Path("/proc/self/cmdline").exists():
        ps = subprocess.run(["ps", "-ww", "-Ao", "pid=,args="], capture_output=True, text=True, check=True)
        for line in ps.stdout.splitlines():
            pid, *words = line.split()
            yield int(pid), "/", words, []
        return
    for one in Path("/proc").glob("[0-9]*"):
        try:
            words = (one / "cmdline").read_text(errors="replace").rstrip("\0").split("\0")
            yield int(one.name), os.readlink(one / "cwd"), words, list(_open_files(one))
        except OSError:
            continue  # The process has ended, or belongs to another user.


def _open_files(process: Path) -> Iterator[str]:
    """The files that a process has open. It may close some of them while they are listed."""
    for file in (process / "fd").iterdir():
        with suppress(FileNotFoundError):
            yield os.readlink(file)


def main() -> None:
    """Print the processes found and exit with 1. If there are none, print nothing."""
    root = Path(__file__).resolve().parent.parent
    found = running(root)
    if not found:
        return
    lines = [f"  {pid}  {command[:100]}" for pid, command in found]
    in_lab = any(f"{root}/var/lab/" in command for _, command in found)
    stop = ["python -m lab down stops the lab's servers"] if in_lab else []
    stop += ["Ctrl-C, or kill with its number, stops any other"]
    told = ["make clean would remove what these processes run from:", *lines, f"{'; '.join(stop)}."]
    sys.exit("\n".join(told))


if __name__ == "__main__":
    main()
