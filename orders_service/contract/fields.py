"""Reads and checks the fields of an event's JSON value."""

import json
import re
from collections.abc import Mapping
from typing import Any

from orders_service.contract.errors import Invalid, Unreadable

ORDER_ID = "orderId"
# A terminal executes control characters, and no column can hold an unpaired surrogate.
UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff]")

Data = Mapping[str, Any]


def json_object(value: bytes | None) -> Data:
    """The JSON object in a record's value. Raises `Unreadable` if it is none, `Invalid` for a tombstone."""
    if value is None:
        raise Invalid("the record has no value: a tombstone has a meaning only in a compacted topic")
    if not value:
        raise Unreadable("the value is empty")
    try:
        data = _decoded(value, DECODER)
    except ValueError:  # `int` refuses thousands of digits.
        data = _decoded(value, LONG_INTEGER_DECODER)
    if not isinstance(data, dict):
        raise Unreadable("the value is not a JSON object")
    return data


def _decoded(value: bytes, decoder: json.JSONDecoder) -> Any:
    try:
        return decoder.decode(value.decode())
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise Unreadable(f"the value is not JSON in UTF-8: {error}") from error


def _integer(digits: str) -> int:
    # The first 20 characters are out of every bound, too.
    return int(digits) if len(digits) <= 20 else int(digits[:20])


# Accepts NaN and Infinity, as Python does by default: the check of the field refuses them.
DECODER = json.JSONDecoder()
LONG_INTEGER_DECODER = json.JSONDecoder(parse_int=_integer)


def text(data: Data, name: str, most: int) -> str:
    """A text field, such as an id. Raises `Unreadable` if the order id is missing, else `Invalid`."""
    value = data.get(name)
    if type(value) is str and 1 <= len(value) <= most:
        if value.isprintable() or not UNPRINTABLE.search(value):
            return value
        raise Invalid(f"{name}: must not contain control characters or unpaired surrogates")
    raise _error_for(data, name, f"a string of 1 to {most} characters")


def integer(data: Data, name: str, least: int, most: int) -> int:
    """An integer field. Raises `Invalid` if it is missing, of another type, or out of bounds."""
    value = data.get(name)
    if type(value) is int and least <= value <= most:
        return value
    raise _error_for(data, name, f"an integer from {least} to {most}")


def _error_for(data: Data, name: str, wanted: str) -> Unreadable:
    if name in data:
        return Invalid(f"{name}: must be {wanted}")
    # A record with an order id is about an order, whatever else its producer left out.
    return (Unreadable if name == ORDER_ID else Invalid)(f"{name}: is missing")
