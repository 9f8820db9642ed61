"""Certificates for a test: an authority of its own, and those it vouches for."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

NEW = ("req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")


@dataclass(frozen=True)
class Authority:
    """An authority; all that it makes lies in *folder*, in PEM."""

    folder: Path
    name: str = "ca"

    def __post_init__(self) -> None:
        self._make(self.name, "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    @property
    def certificate(self) -> Path:
        return self.folder / f"{self.name}.pem"

    def vouch_for(self, name: str) -> tuple[Path, Path]:
        """A certificate of this machine, by this name, and its key."""
        ours = ("-CA", str(self.certificate), "-CAkey", str(self.folder / f"{self.name}.key"))
        plain = ("-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=IP:127.0.0.1")
        return self._make(name, *ours, *plain)

    def _make(self, name: str, *how: str) -> tuple[Path, Path]:
        certificate, key = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        files = ("-out", str(certificate), "-keyout", str(key))
        subprocess.run(
            ["openssl", *NEW, "-subj", f"/CN={name}", *files, *how], check=True, capture_output=True
        )
        return certificate, key
