"""The errors of a request that the API itself finds: its body, its header Idempotency-Key, its parameters.

Those of its clients are in `identity/errors.py`, those of orders and products in the packages below.
"""

from collections.abc import Collection, Mapping
from itertools import islice

ERRORS_MAX = 20  # The most fields that one answer names.
NAME_MAX = 100  # The most characters of a field's name that an answer repeats.


class InvalidBody(Exception):
    """The body is not a JSON object. The text says what is wrong."""


class InvalidKey(Exception):
    """The Idempotency-Key header cannot be used. The text says why."""


class InvalidFields(Exception):
    """Fields of a request are wrong: *errors* maps names to texts.

    A field of the body has a JSON Pointer; *pointer* is that of the object which has the field.
    """

    def __init__(self, errors: Mapping[str, str], *, in_body: bool = True, pointer: str = "") -> None:
        super().__init__()
        self.errors = [
            {"field": name, "detail": text} | ({"pointer": f"{pointer}/{_escaped(name)}"} if in_body else {})
            for name, text in ((shortened(name), text) for name, text in islice(errors.items(), ERRORS_MAX))
        ]
        self.more = max(0, len(errors) - ERRORS_MAX)


class UnknownParameter(Exception):
    """The query parameter *name* does not exist at this address, which has the parameters *known*."""

    def __init__(self, name: str, known: Collection[str]) -> None:
        super().__init__(name)
        self.name, self.known = name, known


class UnknownAfter(Exception):
    """The parameter `after` of a list is no id of its rows. The text is its value."""


def shortened(name: str) -> str:
    """A name that a client sent, shortened to NAME_MAX characters."""
    return name if len(name) <= NAME_MAX else name[: NAME_MAX - 1] + "…"


def _escaped(name: str) -> str:
    """*name* as a reference token of a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
