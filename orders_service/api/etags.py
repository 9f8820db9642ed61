"""Entity tags: the version of an order, and the conditions that clients set on it (RFC 9110, 13.1)."""

import re
from collections.abc import Collection

from flask import request
from werkzeug.exceptions import BadRequest

TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
VERSION = re.compile("[1-9][0-9]{0,8}")  # As `etag` writes it. A version is an integer of 32 bits.


def etag(version: int) -> str:
    """The value of the header ETag for this version of an order."""
    return f'"{version}"'


def is_known_to_client(version: int) -> bool:
    """Whether the header If-None-Match has this version, or `*`: then the answer is 304, without a body."""
    tags = _tags("If-None-Match")
    # Weak and strong tags are compared alike here (RFC 9110, 13.1.2).
    return tags is not None and (not tags or any(tag == str(version) for _, tag in tags))


def required_versions() -> Collection[int] | None:
    """The versions in the header If-Match, one of which the order must have. None if any will do."""
    tags = _tags("If-Match")
    if not tags:
        return None
    # A weak tag never matches here (RFC 9110, 13.1.1), and neither does a tag that is not ours.
    return {int(tag) for weak, tag in tags if not weak and VERSION.fullmatch(tag)}


def _tags(header: str) -> list[tuple[str, str]] | None:
    """The tags in a header, each as `W/` or "", and its text; `*` is an empty list; None without a header."""
    value = request.headers.get(header)
    if value is None:
        return None
    if value.strip() == "*":
        return []
    tags = TAG.findall(value)
    if not tags or TAG.sub("", value).strip(" \t,"):
        raise BadRequest(f'{header} must be * or entity tags such as "1", in quotes, separated by commas.')
    return tags
