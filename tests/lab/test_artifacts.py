"""The lock and what is checked against it."""

import dataclasses
import hashlib
import io
import os
import re
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lab import artifacts
from lab.artifacts import Artifact, Progress, cache, files, locked, unpacked
from lab.content import digest
from lab.errors import ArtifactError

GOOD = b"what the lock was made from"
SHA256 = hashlib.sha256(GOOD).hexdigest()


@pytest.fixture(autouse=True)
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What is published, by coordinate."""
    published: dict[str, bytes] = {}

    def download(artifact: Artifact, folder: Path, progress: Progress | None = None) -> Path:
        path = folder / artifact.path.name
        path.write_bytes(published[artifact.coordinate])
        return path

    monkeypatch.setattr(artifacts, "download", download)
    return published


def test_the_lock_names_every_server_and_a_full_sha256_each() -> None:
    found = {section: locked(section) for section in ("kafka", "mariadb", "connectors")}

    assert {section: len(artifacts) for section, artifacts in found.items()} == {
        "kafka": 93,
        "mariadb": 1,
        "connectors": 2,
    }
    assert all(re.fullmatch("[0-9a-f]{64}", one.sha256) for several in found.values() for one in several)


def test_no_two_artifacts_share_a_file() -> None:
    everything = [one for section in ("kafka", "mariadb", "connectors") for one in locked(section)]

    assert len({one.path for one in everything}) == len(everything)


def test_a_coordinate_becomes_a_file_name() -> None:
    plain = Artifact("org.example:lamp:1.2", SHA256)
    classified = Artifact("org.example:lamp:1.2:plugin:tar.gz", SHA256)

    assert plain.path == cache() / "org.example" / "lamp-1.2.jar"
    assert classified.path == cache() / "org.example" / "lamp-1.2-plugin.tar.gz"


@pytest.mark.parametrize("coordinate", ["lamp", "org.example:lamp", "org.example:lamp:1.2:plugin"])
def test_what_is_no_coordinate_is_refused(coordinate: str) -> None:
    with pytest.raises(ArtifactError, match="not a coordinate"):
        Artifact(coordinate, SHA256)


@pytest.mark.parametrize("text", ["[kafka]\nnot = a string", '[kafka]\n"a:b:1" = "0"\n"a:b:1" = "1"'])
def test_a_lock_that_cannot_be_read_is_an_error(tmp_path: Path, text: str) -> None:
    lock = tmp_path / "artifacts.lock"
    lock.write_text(text)

    with pytest.raises(ArtifactError, match="cannot be read"):
        locked("kafka", lock)


def test_a_file_is_fetched_once(registry: dict[str, bytes]) -> None:
    lamp = Artifact("org.example:lamp:1", SHA256)
    registry[lamp.coordinate] = GOOD
    files([lamp], io.StringIO())
    registry.clear()

    (path,) = files([lamp], io.StringIO())

    assert path.read_bytes() == GOOD


def test_a_file_that_is_not_the_locked_one_is_refused_and_removed(registry: dict[str, bytes]) -> None:
    lamp = Artifact("org.example:lamp:1", SHA256)
    registry[lamp.coordinate] = b"something else"

    with pytest.raises(ArtifactError, match="lamp:1: its SHA-256 is not the one"):
        files([lamp], io.StringIO())

    assert [path.name for path in cache().rglob("*") if path.is_file()] == ["lock"]


def test_a_file_spoilt_in_the_cache_is_fetched_again(registry: dict[str, bytes]) -> None:
    lamp = Artifact("org.example:lamp:1", SHA256)
    registry[lamp.coordinate] = GOOD
    lamp.path.parent.mkdir(parents=True)
    lamp.path.write_bytes(GOOD[:5])

    (path,) = files([lamp], io.StringIO())

    assert path.read_bytes() == GOOD


@pytest.fixture
def archive(registry: dict[str, bytes], tmp_path: Path) -> Artifact:
    """A published archive of two files."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("linux/bin/lamp", "light")
        file.writestr("linux/share/manual", "switch it on")
        file.extractall(tmp_path / "published")
    sha256 = hashlib.sha256(content.getvalue()).hexdigest()
    jar = Artifact("org.example:lamp:1", sha256, digest(tmp_path / "published"))
    registry[jar.coordinate] = content.getvalue()
    return jar


def test_an_archive_is_unpacked_once_and_not_kept(archive: Artifact, registry: dict[str, bytes]) -> None:
    folder = unpacked(archive, io.StringIO())
    registry.clear()
    again = unpacked(archive, io.StringIO())

    assert folder == again
    assert (folder / "linux/bin/lamp").read_text() == "light"
    assert not archive.path.exists()


def _change(folder: Path) -> None:
    path, before = folder / "linux/bin/lamp", (folder / "linux/bin/lamp").stat()
    path.write_text("smoke")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _link(folder: Path) -> None:
    (folder / "linux/bin/lamp").unlink()
    (folder / "linux/bin/lamp").symlink_to("/bin/true")


@pytest.mark.parametrize(
    "forge",
    [
        pytest.param(_change, id="a file changed, its size and time as before"),
        pytest.param(_link, id="a link in the place of a file"),
        pytest.param(
            lambda folder: (folder / "linux/lib").mkdir() or (folder / "linux/lib/x.so").touch(), id="more"
        ),
        pytest.param(lambda folder: (folder / "linux/share/manual").unlink(), id="a file less"),
    ],
)
def test_an_unpacked_archive_that_was_changed_is_unpacked_again(
    archive: Artifact, forge: Callable[[Path], object]
) -> None:
    forge(unpacked(archive, io.StringIO()))
    out = io.StringIO()

    folder = unpacked(archive, out)

    assert digest(folder) == archive.content
    assert "was changed since it was unpacked" in out.getvalue()


def test_a_folder_that_was_there_before_under_that_name_is_not_trusted(archive: Artifact) -> None:
    (archive.folder / "linux/bin").mkdir(parents=True)
    (archive.folder / "linux/bin/lamp").write_text("somebody else's")

    folder = unpacked(archive, io.StringIO())

    assert (folder / "linux/bin/lamp").read_text() == "light"


def test_a_folder_whose_content_is_not_the_locked_one_is_refused(archive: Artifact) -> None:
    wrong = dataclasses.replace(archive, content="0" * 64)

    with pytest.raises(ArtifactError, match="lamp:1: its content is not the one in"):
        unpacked(wrong, io.StringIO())


def test_files_that_have_not_changed_are_not_read_again(
    archive: Artifact, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = unpacked(archive, io.StringIO())
    monkeypatch.setattr("lab.content.digest", lambda _: pytest.fail("the files were read again"))

    assert unpacked(archive, io.StringIO()) == folder


def test_the_cache_is_closed_to_others_whoever_made_it(archive: Artifact) -> None:
    cache().mkdir(mode=0o755)

    unpacked(archive, io.StringIO())

    assert cache().stat().st_mode & 0o777 == 0o700


def test_the_lock_has_the_content_of_every_archive_that_is_used_unpacked() -> None:
    archives = [*locked("mariadb"), *locked("connectors")]

    assert len(archives) == 3
    assert all(re.fullmatch("[0-9a-f]{64}", one.content) for one in archives)


def test_progress_ends_with_all_that_came(registry: dict[str, bytes]) -> None:
    lamps = [Artifact(f"org.example:lamp:{version}", SHA256) for version in range(3)]
    registry.update({lamp.coordinate: GOOD for lamp in lamps})
    out = io.StringIO()

    files(lamps, out)

    assert out.getvalue().splitlines()[-1] == "fetching servers: 3 of 3 files, 0 MB"


def test_two_that_need_the_same_file_fetch_it_once(
    registry: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    lamp = Artifact("org.example:lamp:1", SHA256)
    registry[lamp.coordinate] = GOOD
    fetched: list[str] = []
    fetch_one = artifacts._fetch_one

    def slowly(artifact: Artifact, *rest: Any) -> None:
        fetched.append(artifact.coordinate)
        time.sleep(0.2)
        fetch_one(artifact, *rest)

    monkeypatch.setattr(artifacts, "_fetch_one", slowly)
    with ThreadPoolExecutor(2) as pool:
        paths = list(pool.map(lambda _: files([lamp], io.StringIO()), range(2)))

    assert paths == [[lamp.path], [lamp.path]]
    assert fetched == [lamp.coordinate]
