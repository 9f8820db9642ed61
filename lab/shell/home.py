"""The folder that stands for KAFKA_HOME in the lab's shell: a script for each command of the slides."""

import os
from difflib import get_close_matches
from pathlib import Path
from shlex import join, quote

from ..laboratory import Lab
from ..private import private, write
from ..tools import KAFKA as KAFKA_TOOLS
from ..typed import tool
from .commands import KAFKA, MARIADB

ROOT = Path(__file__).resolve().parents[2]
BASH = "bashrc"
CLIENTS = ("mysql", "mariadb")
TOOLS = (*KAFKA_TOOLS, "connect-standalone")
# MariaDB's programs have no .sh. Kafka's have one in Kafka's own download and none in Confluent's.
NAMES = [
    *CLIENTS,
    *MARIADB,
    *(f"{name}{end}" for name in (*TOOLS, *KAFKA) for end in ("", ".sh")),
]


def write_home(lab: Lab) -> Path:
    """Write the scripts, and what bash reads when it starts; return the folder."""
    home = private(lab.home / "shell")
    private(home / "bin")
    for name in NAMES:
        plain = name.removesuffix(".sh")
        words = ["mariadb"] if name in CLIENTS else [plain] if plain in TOOLS else ["slide", name]
        _script(home / "bin" / name, lab, words)
    _script(home / "unknown", lab, ["unknown", "--"])
    known = f'command_not_found_handle() {{ {quote(str(home / "unknown"))} "$@"; return 127; }}\n'
    write(home / f"{BASH}-c", f"unset BASH_ENV\n{known}")
    write(
        home / BASH,
        "[ -r ~/.bashrc ] && . ~/.bashrc\n"
        f"export PATH={quote(str(home / 'bin'))}:$PATH KAFKA_HOME={quote(str(home))}\n"
        f'export KAFKA_CONNECT_HOME=$KAFKA_HOME\nunset BASH_ENV\nPS1="(lab) $PS1"\n{known}',
    )
    return home


def advice(typed: str) -> str:
    """The line for a command that the shell does not know."""
    near = get_close_matches(typed, NAMES, n=1)
    return f"{typed}: command not found" + (f"; did you mean {near[0]}?" if near else "")


def _script(path: Path, lab: Lab, words: list[str]) -> None:
    """A script that runs `python -m lab WORD …` with its own arguments, from any working directory."""
    # Python would otherwise import modules from the working directory, such as a learner's own kafka.py.
    variables = f"PYTHONSAFEPATH=1 PYTHONPATH={quote(str(ROOT))}"
    text = f'#!/bin/sh\nexec env {variables} {join(tool(lab, words))} "$@"\n'
    # Another shell of this lab may run the script at this moment.
    if not os.access(path, os.X_OK) or path.read_text() != text:
        write(path, text)
        path.chmod(0o700)
