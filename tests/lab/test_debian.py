"""Debian's packages are checked, kept and not installed."""

import hashlib
import io
from pathlib import Path

import pytest

from lab import debian
from lab.artifacts import cache
from lab.errors import ArtifactError, NotForThisPlatform

GOOD = b"a package"
SHA256 = hashlib.sha256(GOOD).hexdigest()


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What apt downloads next; its lists have the SHA-256 of `GOOD`."""
    contents: list[bytes] = []

    def apt(*words: str, folder: Path) -> str:
        if "--print-uris" not in words:
            (folder / "lamp_1+2_amd64.deb").write_bytes(contents.pop())
        return f"'http://mirror/lamp_1%2b2_amd64.deb' lamp_1+2_amd64.deb 9 SHA256:{SHA256}\n"

    def unpack(archive: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "lamp").write_bytes(archive.read_bytes())

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(debian, "_apt", apt)
    monkeypatch.setattr(debian, "_unpack", unpack)
    monkeypatch.setattr(debian, "which", lambda name: f"/usr/bin/{name}")
    return contents


def test_a_package_is_downloaded_once(downloads: list[bytes]) -> None:
    downloads.append(GOOD)

    folders = {debian.unpacked("lamp", io.StringIO()) for _ in range(2)}

    assert folders == {cache() / "debian" / f"lamp_1+2_amd64.{SHA256[:12]}"}
    assert (folders.pop() / "lamp").read_bytes() == GOOD
    assert cache().stat().st_mode & 0o777 == 0o700


def test_a_package_with_another_digest_is_refused(downloads: list[bytes]) -> None:
    downloads.append(b"another package")

    with pytest.raises(ArtifactError, match="SHA-256"):
        debian.unpacked("lamp", io.StringIO())

    assert [*(cache() / "debian").iterdir()] == []


def test_another_system_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debian, "which", lambda name: None)

    with pytest.raises(NotForThisPlatform, match="only Debian has the package lamp"):
        debian.unpacked("lamp", io.StringIO())
