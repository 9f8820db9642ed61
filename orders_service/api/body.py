"""Reads the JSON body of a request strictly: a doubtful body is refused, its meaning is not guessed."""

import json
from time import perf_counter
from typing import Any, NoReturn

from flask import Request, current_app
from werkzeug.exceptions import RequestEntityTooLarge, RequestTimeout, UnsupportedMediaType

from orders_service.api.errors import InvalidBody, InvalidFields
from orders_service.api.own_time import note_body

BODY_MAX = 64 * 1024  # Bytes.
LARGE_BODY = 4 * 1024  # Bytes. A larger body is read and parsed in turns. An order is a tenth of this size.
BODY_SECONDS = 10  # The time-out from the end of the head to the end of the body.
SLOW_BODY = f"Send the body within {BODY_SECONDS} s."


def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object in the body.

    Raises `UnsupportedMediaType`, `RequestEntityTooLarge`, `InvalidBody`, or `InvalidFields` for a name that
    is given twice.
    """
    if request.mimetype != "application/json":
        sent = request.mimetype or "missing"
        raise UnsupportedMediaType(f"The content type must be application/json; it is {sent}.")
    charset = request.mimetype_params.get("charset", "utf-8")
    if charset.lower() not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(f"The charset must be UTF-8; it is {charset}.")
    coding = request.environ.get("HTTP_CONTENT_ENCODING", "identity")
    if coding.strip().lower() != "identity":
        raise UnsupportedMediaType("Send the body without a Content-Encoding.")
    text = _read_whole_body(request)
    if len(text) <= LARGE_BODY:
        return _parsed(text)
    with current_app.config["TURN"](first=False):
        return _parsed(text)


def _parsed(text: bytes, *, long_integers: bool = False) -> dict[str, Any]:
    if not text.strip():
        raise InvalidBody("The body is empty.")
    try:
        value = (LONG_INTEGER_DECODER if long_integers else DECODER).decode(text.decode())
    except UnicodeDecodeError as error:
        raise InvalidBody(f"The body is not UTF-8 (byte {error.start}).") from error
    except json.JSONDecodeError as error:
        raise InvalidBody(f"The body is not JSON: {error}.") from error
    except ValueError:  # `int` refuses thousands of digits.
        return _parsed(text, long_integers=True)
    except RecursionError as error:
        raise InvalidBody("The body is nested too deeply.") from error
    if not isinstance(value, dict):
        raise InvalidBody("The body is JSON, but not an object.")
    return value


def _read_whole_body(request: Request) -> bytes:
    """Read the whole body from the server's input stream, which ends where the body ends."""
    # Werkzeug reads an empty Content-Length as 0.
    data, length, begun = b"", request.content_length or None, perf_counter()
    try:
        while len(data) <= BODY_MAX and len(data) != length:
            more = request.input_stream.read(BODY_MAX + 1 - len(data))
            if not more:
                break
            data += more
    except TimeoutError as error:
        raise RequestTimeout(SLOW_BODY) from error
    except OSError as error:
        raise InvalidBody("The body was not received completely.") from error
    finally:
        note_body(request.environ, perf_counter() - begun)
    if len(data) > BODY_MAX:
        raise RequestEntityTooLarge
    if len(data) < (length or 0):
        raise InvalidBody("The body is shorter than its Content-Length.")
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise InvalidFields({name: "is given twice"})
        members[name] = value
    return members


def _integer(digits: str) -> int | float:
    # A float is refused later, with the name of its field.
    return int(digits) if len(digits) < 20 else float(digits)


def _refuse_constant(name: str) -> NoReturn:
    raise InvalidBody(f"The body is not JSON: {name} is not a JSON value.")


DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_refuse_constant)
LONG_INTEGER_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_constant=_refuse_constant, parse_int=_integer
)
