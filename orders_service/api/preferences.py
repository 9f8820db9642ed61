"""The request header `Prefer` (RFC 7240): with `wait=10` a client waits for the outcome of an order."""

import re

from flask import Response

# A client that asks for more waits this long: a gateway in front may give up soon after. The header
# Preference-Applied tells the client how long it was.
WAIT_MAX_SECONDS = 30

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
# A preference or one of its parameters: a name, perhaps a value, and the separator that follows.
# What `*+` and `++` have matched is never matched again in another way: a header of blanks would otherwise
# take time with the square of its length.
ITEM = re.compile(rf'[ \t]*+(?:({TOKEN})(?:[ \t]*+=[ \t]*+({TOKEN}|"(?:[^"\\]|\\.)*+"))?)?[ \t]*+([,;]|\Z)')
DELTA_SECONDS = re.compile("0*([0-9]+)")


def wait_seconds(header: str) -> int:
    """How long the client prefers to wait, from 1 to WAIT_MAX_SECONDS; 0 if it does not ask to wait.

    As the RFC demands, the first `wait` counts, and what is unknown or malformed is ignored.
    """
    position, is_parameter = 0, False
    while position < len(header) and (item := ITEM.match(header, position)):
        name, value, separator = item.groups()
        if name and name.lower() == "wait" and not is_parameter:
            return _seconds(value or "")
        position, is_parameter = item.end(), separator == ";"
    return 0


def say_applied(response: Response, seconds: int) -> Response:
    """Tell the client that its preference was applied."""
    response.headers["Preference-Applied"] = f"wait={seconds}"
    return response


def _seconds(value: str) -> int:
    if value.startswith('"'):
        value = re.sub(r"\\(.)", r"\1", value[1:-1])
    match = DELTA_SECONDS.fullmatch(value)
    if match is None:
        return 0
    # Python does not make a number of more than 4300 digits.
    return min(int(match[1]), WAIT_MAX_SECONDS) if len(match[1]) < 10 else WAIT_MAX_SECONDS
