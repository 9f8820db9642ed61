"""Unpacks Debian packages into the user's cache. They are not installed: that would start services."""

import hashlib
import os
import subprocess
import tempfile
from pathlib import Path
from shutil import which
from typing import TextIO

from .artifacts import cache
from .errors import ArtifactError, NotForThisPlatform
from .private import private

ADVICE = "as root, run `apt-get update`; or install these programs, so that they are on PATH"


def unpacked(package: str, out: TextIO) -> Path:
    """The folder of an unpacked package, in the version that apt would install.

    apt knows the package's SHA-256 from lists that Debian signs, and the folder's name contains it.
    """
    if not (which("apt-get") and which("dpkg-deb")):
        raise NotForThisPlatform(f"only Debian has the package {package}; install its programs")
    name, sha256 = _published(package)
    folder = cache() / "debian" / f"{name}.{sha256[:12]}"
    if not folder.is_dir():
        private(cache())
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="work-", dir=cache()) as work:
            out.write(f"fetching {name}\n")
            _unpack(_download(package, Path(work), sha256), Path(work, "content"))
            _move(Path(work, "content"), folder)
    return folder


def _published(package: str) -> tuple[str, str]:
    """The file name of a package and its SHA-256, from apt's lists."""
    with tempfile.TemporaryDirectory() as empty:  # In a folder that has the package, apt prints nothing.
        said = _apt("download", "--print-uris", package, folder=Path(empty))
    match said.split():
        case [_, name, _, digest] if digest.startswith("SHA256:"):
            return name.removesuffix(".deb"), digest.removeprefix("SHA256:")
    raise ArtifactError(f"apt-get does not say where the package {package} is: {said.strip()[:200]!r}")


def _download(package: str, folder: Path, sha256: str) -> Path:
    _apt("download", package, folder=folder)
    (archive,) = folder.glob("*.deb")
    with archive.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
            raise ArtifactError(f"{archive.name}: its SHA-256 is not the one in apt's lists")
    return archive


def _unpack(archive: Path, folder: Path) -> None:
    subprocess.run(["dpkg-deb", "--extract", archive, folder], check=True)


def _move(source: Path, target: Path) -> None:
    """Move by one rename. It is no error if another process created *target* first."""
    try:
        source.rename(target)
    except OSError:
        if not target.is_dir():
            raise


def _apt(*words: str, folder: Path) -> str:
    # Otherwise apt, as root, changes to a user that cannot write into a private folder, and warns.
    command = ["apt-get", "--quiet", "--option", "APT::Sandbox::User=root", *words]
    environment = {**os.environ, "LC_ALL": "C"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        cause = " ".join(done.stderr.split())[:300]
        raise NotForThisPlatform(f"apt-get {' '.join(words)}: {cause} ({ADVICE})")
    return done.stdout
