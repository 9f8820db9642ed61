"""Downloads the servers' files, checks them against the lock file and keeps them in the user's cache."""

import fcntl
import hashlib
import os
import shutil
import tempfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from jgo.maven import MavenContext, PythonResolver

from .content import is_as_published, unpack
from .errors import ArtifactError
from .private import opened, private

LOCK = Path(__file__).with_name("artifacts.lock")
AT_ONCE = 8
TRIES = 3
LEFT_BEHIND_SECONDS = 24 * 60 * 60


def cache() -> Path:
    """The folder of downloaded files, shared by all checkouts of this user."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "orders-service-lab"


@dataclass(frozen=True)
class Artifact:
    """A published file: `group:artifact:version[:classifier:packaging]` and the SHA-256 that it must have."""

    coordinate: str
    sha256: str
    content: str = ""
    """The digest of what is in it, if it is an archive that is used unpacked."""

    def __post_init__(self) -> None:
        if self.coordinate.count(":") not in (2, 4):
            raise ArtifactError(f"{LOCK.name}: not a coordinate: {self.coordinate}")

    @property
    def parts(self) -> tuple[str, str, str, str, str]:
        group, name, version, *rest = self.coordinate.split(":")
        classifier, packaging = rest or ("", "jar")
        return group, name, version, classifier, packaging

    @property
    def version(self) -> str:
        return self.parts[2]

    @property
    def path(self) -> Path:
        group, name, version, classifier, packaging = self.parts
        return cache() / group / f"{'-'.join(filter(None, (name, version, classifier)))}.{packaging}"

    @property
    def folder(self) -> Path:
        """The folder of an unpacked archive. Its name contains the archive's SHA-256."""
        return self.path.with_name(f"{self.path.name}.{self.sha256[:12]}")

    def is_good(self, path: Path) -> bool:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256


def locked(section: str, lock: Path = LOCK) -> list[Artifact]:
    """The artifacts of one section of the lock."""
    try:
        sections = tomllib.loads(lock.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ArtifactError(f"{lock.name} cannot be read: {error}") from error
    found = sections.get(section, {}).items()
    return [
        Artifact(name, *([it] if isinstance(it, str) else (it["sha256"], it["content"])))
        for name, it in found
    ]


def files(artifacts: Sequence[Artifact], out: TextIO) -> list[Path]:
    """The paths of the artifacts. Those not in the cache are downloaded, with a progress line on *out*."""
    if _missing(artifacts):
        with _alone():
            _fetch(_missing(artifacts), out)
    return [one.path for one in artifacts]


def unpacked(artifact: Artifact, out: TextIO) -> Path:
    """The folder of the unpacked artifact, checked against the lock. The archive itself is not kept.

    A folder whose content differs, even by one additional file, is replaced.
    """
    if not _is_unpacked(artifact):
        with _alone():
            if not _is_unpacked(artifact):
                if artifact.folder.exists():
                    out.write(f"{artifact.folder} was changed since it was unpacked; unpacking it again\n")
                _unpack(artifact, out)
    return artifact.folder


def _is_unpacked(artifact: Artifact) -> bool:
    private(cache())
    return artifact.folder.is_dir() and is_as_published(artifact.folder, artifact.content)


def _unpack(artifact: Artifact, out: TextIO) -> None:
    _fetch(_missing([artifact]), out)
    with _work_folder() as work:
        unpack(artifact.path, work / "content")
        if artifact.folder.is_symlink() or artifact.folder.is_file():
            artifact.folder.unlink()
        elif artifact.folder.exists():
            artifact.folder.rename(work / "changed")
        _move(work / "content", artifact.folder)
    artifact.path.unlink(missing_ok=True)
    if not is_as_published(artifact.folder, artifact.content):
        raise ArtifactError(f"{artifact.coordinate}: its content is not the one in {LOCK.name}")


def download(artifact: Artifact, folder: Path, progress: "Progress | None" = None) -> Path:
    """Download an artifact from its Maven repository into *folder*. Its digest is not checked here."""
    group, name, version, classifier, packaging = artifact.parts
    resolver = PythonResolver(progress_callback=progress.receiving if progress else None)
    context = MavenContext(resolver=resolver, repo_cache=folder, local_repos=[], timeout=60)
    wanted = context.project(group, name).at_version(version).artifact(classifier, packaging)
    for tries_left in reversed(range(TRIES)):
        try:
            return wanted.resolve()
        except Exception as error:
            if not tries_left:
                cause = " ".join(str(error).split())
                raise ArtifactError(f"{artifact.coordinate} could not be fetched: {cause[:300]}") from error
            shutil.rmtree(folder / Path(*group.split(".")) / name, ignore_errors=True)
            time.sleep(1)
    raise AssertionError("unreachable")


class Progress:
    """A progress line: rewritten in place on a terminal, otherwise a new line every few seconds."""

    def __init__(self, out: TextIO, total: int) -> None:
        self._out, self._total = out, total
        self._terminal = out.isatty()
        self._pause = 0.1 if self._terminal else 3.0
        self._done = self._bytes = 0
        self._said = float("-inf")
        self._lock = threading.Lock()

    @contextmanager
    def receiving(self, _name: str, _size: int) -> Iterator[Callable[[int], None]]:
        """The progress callback that jgo calls for each file it downloads."""
        yield self._received

    def finished_one(self) -> None:
        with self._lock:
            self._done += 1
            self._say(now=self._done == self._total)

    def close(self) -> None:
        if self._terminal:
            self._out.write("\n")

    def _received(self, count: int) -> None:
        with self._lock:
            self._bytes += count
            self._say()

    def _say(self, now: bool = False) -> None:
        if not now and time.monotonic() - self._said < self._pause:
            return
        self._said = time.monotonic()
        line = f"fetching servers: {self._done} of {self._total} files, {self._bytes / 1e6:.0f} MB"
        self._out.write(f"\r{line}" if self._terminal else f"{line}\n")
        self._out.flush()


def _missing(artifacts: Sequence[Artifact]) -> list[Artifact]:
    return [one for one in artifacts if not (one.path.exists() and one.is_good(one.path))]


@contextmanager
def _alone() -> Iterator[None]:
    """Hold the lock of the cache. A second process waits, and then finds the complete downloads."""
    with opened(private(cache()) / "lock") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _fetch(artifacts: Sequence[Artifact], out: TextIO) -> None:
    if not artifacts:
        return
    progress = Progress(out, len(artifacts))
    with _work_folder() as work, ThreadPoolExecutor(AT_ONCE) as pool:
        try:
            list(pool.map(lambda one: _fetch_one(one, work, progress), artifacts))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        finally:
            progress.close()


def _fetch_one(artifact: Artifact, work: Path, progress: Progress) -> None:
    path = download(artifact, work, progress)
    if not artifact.is_good(path):
        path.unlink()
        raise ArtifactError(f"{artifact.coordinate}: its SHA-256 is not the one in {LOCK.name}; removed")
    _move(path, artifact.path)
    progress.finished_one()


@contextmanager
def _work_folder() -> Iterator[Path]:
    """A temporary folder on the cache's file system, so that finished files can be moved by a rename."""
    for left_behind in private(cache()).glob("work-*"):
        if time.time() - left_behind.stat().st_mtime > LEFT_BEHIND_SECONDS:
            shutil.rmtree(left_behind, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="work-", dir=cache()) as work:
        yield Path(work)


def _move(source: Path, target: Path) -> None:
    """Move *source* to *target* by one rename. It is no error if another process created *target* first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(target)
    except OSError:
        if not target.is_dir():
            raise
