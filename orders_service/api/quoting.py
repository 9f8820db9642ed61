"""Names that a client sent, as an answer repeats them."""

NAME_MAX = 100  # The most characters of a field's name that an answer repeats.


def shortened(name: str) -> str:
    """A name that a client sent, shortened to NAME_MAX characters."""
    return name if len(name) <= NAME_MAX else name[: NAME_MAX - 1] + "…"


def pointer_token(name: str) -> str:
    """*name* as a reference token of a JSON Pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
