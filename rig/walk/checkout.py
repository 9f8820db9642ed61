"""A folder that looks like a checkout, with a lab on ports of its own."""

import json
import shlex
import shutil
import sys
from dataclasses import asdict
from pathlib import Path

from lab import Lab, Ports
from lab.ports import free_ports
from lab.typed import ELSEWHERE
from rig.processes import UNSET

ROOT = Path(__file__).resolve().parents[2]
LEFT_OUT = {".git", ".venv", "var", "config"}
INSTALLED = ("run", "dev")  # The files by which `make` knows that all is installed.
API_PORTS = ("8000", "8001", "8002")


class Checkout:
    """Links to the files of this repository, an environment of its own, and no state."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "checkout"
        self._ports = Ports.free()
        self._home = self.folder / "var/lab"
        self._api = dict(zip(API_PORTS, map(str, free_ports(len(API_PORTS))), strict=True))
        temporary = folder / "tmp"
        for one in (self.folder, temporary):
            one.mkdir()
        for path in ROOT.iterdir():
            if path.name not in LEFT_OUT:
                (self.folder / path.name).symlink_to(path)
        self._make_environment()
        self._copy_settings()
        usual = Ports()
        self.names = self._api | {
            "/tmp/": f"{temporary}/",
            str(usual.brokers[0]): str(self._ports.brokers[0]),
            str(usual.mariadb): str(self._ports.mariadb),
            str(usual.connect): str(self._ports.connect),
        }
        # A `make` that runs this walk would pass its options on to the one that the page types.
        own = {name: value for name, value in UNSET.items() if "MAKE" not in name and name != "MFLAGS"}
        self.environment = own | {"PYTHONPATH": str(self.folder), "API_PORT": self._api["8000"]}

    def close(self) -> None:
        """Stop the servers that the walk has left running."""
        Lab(self._home, self._ports).down()

    def _copy_settings(self) -> None:
        """A copy of config/ whose files of settings have the ports of this walk."""
        shutil.copytree(ROOT / "config", self.folder / "config")
        for path in self.folder.glob("config/**/*.env"):
            text = path.read_text()
            for usual, own in self._api.items():
                text = text.replace(f"API_PORT={usual}", f"API_PORT={own}")
            path.write_text(text)

    def _make_environment(self) -> None:
        """The folder .venv: `activate`, and programs that use this checkout's lab."""
        programs = self.folder / ".venv/bin"
        programs.mkdir(parents=True)
        for name in INSTALLED:
            (self.folder / ".venv" / name).touch()
        python = shlex.quote(sys.executable)
        ports = json.dumps(asdict(self._ports))
        lab = shlex.join(["-c", ELSEWHERE, str(self._home), ports])
        own_lab = f'if [ "$1 $2" = "-m lab" ]; then shift 2; exec {python} {lab} "$@"; fi'
        scripts = {
            "python": f'{own_lab}\nexec {python} "$@"',
            "orders-service": f'exec {python} -m orders_service "$@"',
        }
        for name, script in scripts.items():
            (programs / name).write_text(f"#!/bin/sh\n{script}\n")
            (programs / name).chmod(0o755)
        (programs / "activate").write_text(f"PATH={shlex.quote(str(programs))}:$PATH\n")
