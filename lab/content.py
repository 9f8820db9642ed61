"""Unpacks archives, and checks their content against the lock file each time it is used.

A folder's name proves nothing about the files in it. The lock has a digest of every archive's content, and an
unpacked folder must match it: no file changed, missing or added.
"""

import hashlib
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path


def unpack(archive: Path, folder: Path) -> None:
    """Unpack a .tar.gz, or a .zip or .jar, into a new folder."""
    if archive.suffix == ".gz":
        with tarfile.open(archive) as tar:
            # Python 3.11.3 and older have no filters; newer versions warn if none is set.
            tar.extraction_filter = getattr(tarfile, "data_filter", None)
            tar.extractall(folder)
    else:
        shutil.unpack_archive(archive, folder, "zip")


def digest(folder: Path) -> str:
    """The SHA-256 of all paths in *folder* and of what each holds. Permissions and times do not count."""
    found = hashlib.sha256()
    for path in _paths(folder):
        found.update(f"{path.relative_to(folder).as_posix()}\0{_content(path)}\n".encode())
    return found.hexdigest()


def is_as_published(folder: Path, expected: str) -> bool:
    """Whether *folder* holds what the lock says: its `digest` is *expected*.

    The files are read only if one of them has changed since they were last read and found good. A note
    beside the folder keeps their inodes, sizes and times at that moment. One of the times is that of the
    last status change (ctime), which a program cannot set as it can the time of modification.
    """
    note = folder.with_name(f"{folder.name}.checked")
    seen = f"{expected} {_appearance(folder)}"
    if note.is_file() and note.read_text() == seen:
        return True
    if digest(folder) != expected:
        return False
    with tempfile.NamedTemporaryFile("w", dir=folder.parent, prefix="checked-", delete=False) as new:
        new.write(seen)
    Path(new.name).rename(note)
    return True


def _paths(folder: Path) -> Iterator[Path]:
    """All files and links below the folder, always in the same order."""
    for place, folders, names in os.walk(folder):
        folders.sort()
        links = [name for name in folders if Path(place, name).is_symlink()]
        yield from (Path(place, name) for name in sorted([*names, *links]))


def _content(path: Path) -> str:
    if path.is_symlink():
        return f"-> {path.readlink()}"
    if not path.is_file():
        return "not a file"
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _appearance(folder: Path) -> str:
    found = hashlib.sha256()
    for path in _paths(folder):
        known = path.lstat()
        looks = (known.st_ino, known.st_mode, known.st_size, known.st_mtime_ns, known.st_ctime_ns)
        found.update(f"{path.relative_to(folder).as_posix()}\0{looks}\n".encode())
    return found.hexdigest()
