"""API keys: long random texts for services, which have no user that could sign in.

The file `API_KEYS_FILE` has a line for each: `name scopes sha256-of-key`. It holds no key, only its SHA-256,
so a copy of the file gives nobody access.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from marshmallow import ValidationError

from orders_service.api.identity.principal import Principal
from orders_service.api.requests import USER_ID
from orders_service.contract.scopes import SCOPES

BEGINNING = "ok_"  # Tells a key from a token, and lets scanners find a key in the wrong place.
DIGEST = re.compile("[0-9a-f]{64}")
FILE_BYTES_MAX = 1024 * 1024


class KeyFileError(Exception):
    """A line of the file is wrong. The message says which, and why."""


class ApiKeys:
    """The services that may use the API, by the SHA-256 of their keys."""

    def __init__(self, by_digest: Mapping[bytes, Principal]) -> None:
        self._by_digest = by_digest

    @classmethod
    def read(cls, path: str) -> "ApiKeys":
        """The keys of a file; raises `KeyFileError` or OSError. Without a path there are none."""
        if not path:
            return cls({})
        with Path(path).open("rb") as file:
            content = file.read(FILE_BYTES_MAX + 1)
        if len(content) > FILE_BYTES_MAX:
            raise KeyFileError(f"it has more than {FILE_BYTES_MAX} bytes")
        try:
            return cls.of(content.decode().splitlines())
        except UnicodeDecodeError as error:
            raise KeyFileError("it is not text in UTF-8") from error

    @classmethod
    def of(cls, lines: Iterable[str]) -> "ApiKeys":
        """The keys of *lines*. A line that is empty or begins with `#` is left out."""
        keys: dict[bytes, Principal] = {}
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            try:
                digest, principal = _key(line)
            except ValueError as error:
                raise KeyFileError(f"line {number}: {error}") from error
            if digest in keys:
                raise KeyFileError(f"line {number}: the same key is in a line above")
            keys[digest] = principal
        return cls(keys)

    def __len__(self) -> int:
        return len(self._by_digest)

    def find(self, key: str) -> Principal | None:
        """The service that has this key.

        Its SHA-256 is looked up, not the key. So the time that this takes says nothing about other keys.
        """
        return self._by_digest.get(hashlib.sha256(key.encode()).digest())


def _key(line: str) -> tuple[bytes, Principal]:
    name, *rest = line.split()
    *scopes, digest = rest or [""]
    names = frozenset(",".join(scopes).split(",")) - {""}
    if not names or not DIGEST.fullmatch(digest.lower()):
        raise ValueError("it must be: name scopes sha256-of-key")
    try:
        USER_ID.deserialize(name)
    except ValidationError as error:
        raise ValueError(f"the name {error.messages[0]}") from error
    if unknown := sorted(names - SCOPES.keys()):
        raise ValueError(f"{unknown[0]} is not a scope; scopes are {', '.join(SCOPES)}")
    return bytes.fromhex(digest), Principal(name, names, f"{BEGINNING}…{digest[:8].lower()}")
