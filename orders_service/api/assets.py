"""The files of the documentation, read at the first request and kept: documents, styles and scripts."""

import hashlib
import json
import zlib
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "assets"
DOCUMENTS = Path(__file__).parents[1] / "contract/documents"
KINDS = {".css": "text/css", ".js": "text/javascript"}
# Swagger UI is stored compressed, as it is sent. 31: the window of zlib, with the header of gzip.
NAMES = ("pages.css", "docs.js", "swagger-ui.css.gz", "swagger-ui-bundle.js.gz")
GZIP = 31


@dataclass(frozen=True)
class Asset:
    """A file that pages load, *packed* with gzip. Its *url* contains its hash."""

    url: str
    kind: str
    packed: bytes

    @cached_property
    def plain(self) -> bytes:
        """The file for a client that does not accept gzip. It is decompressed once."""
        return zlib.decompress(self.packed, GZIP)


@cache
def document(name: str) -> tuple[bytes, str]:
    """A file of the contract and its ETag. The name must be one of ours: each is kept."""
    return with_etag((DOCUMENTS / name).read_bytes())


@cache
def parsed(name: str) -> Any:
    """A file of the contract, parsed. All requests share it: it must not be changed."""
    return json.loads(document(name)[0])


def with_etag(body: bytes) -> tuple[bytes, str]:
    """*body* with its ETag."""
    return body, hashlib.sha256(body).hexdigest()[:16]


def url_of(name: str) -> str:
    """The address of an asset, by its name."""
    return _by_name()[name].url


@cache
def by_url() -> dict[str, Asset]:
    """All assets, by the last part of their URLs."""
    return {asset.url.rpartition("/")[2]: asset for asset in _by_name().values()}


@cache
def _by_name() -> dict[str, Asset]:
    found = {}
    for name in NAMES:
        body = (FOLDER / name).read_bytes()
        if name.endswith(".gz"):
            name = name.removesuffix(".gz")
        else:
            packer = zlib.compressobj(9, wbits=GZIP)
            body = packer.compress(body) + packer.flush()
        path = Path(name)
        url = f"/docs/assets/{path.stem}.{hashlib.sha256(body).hexdigest()[:12]}{path.suffix}"
        found[name] = Asset(url, KINDS[path.suffix], body)
    return found
