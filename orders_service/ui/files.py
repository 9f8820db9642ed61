"""The files of the page, read at the first request and kept: styles, modules, and the shapes.

A style sheet is sent without its comments and its indentation, which are a fifth of its packed size.
"""

import gzip
import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent / "assets"
COMMENT, INDENTATION = re.compile(rb"/\*.*?\*/", re.DOTALL), re.compile(rb"\n\s+")
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class File:
    """A file that the page loads, as it is and packed with gzip."""

    kind: str
    plain: bytes
    packed: bytes

    @property
    def etag(self) -> str:
        """The same for both: it names what the file says, so it is a weak one."""
        return hashlib.sha256(self.plain).hexdigest()[:16]


@cache
def by_name() -> dict[str, File]:
    """All files, by their names in the address."""
    found = {}
    for path in sorted(FOLDER.iterdir()):
        if path.suffix in KINDS:  # The others are licences.
            body = path.read_bytes() if path.suffix != ".css" else _terse(path.read_bytes())
            found[path.name] = File(KINDS[path.suffix], body, gzip.compress(body, 9, mtime=0))
    return found


@cache
def modules() -> list[str]:
    """The names of the modules that `main.js` imports, which the browser may load at once."""
    return [name for name in by_name() if name.endswith(".js") and name != "main.js"]


def _terse(sheet: bytes) -> bytes:
    return INDENTATION.sub(b"\n", COMMENT.sub(b"", sheet))
