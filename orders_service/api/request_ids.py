"""The id of each request: on its answer, in its log lines, and in its problem details."""

import re
from typing import Any
from urllib.parse import quote

from flask import has_request_context, request
from uuid_utils import uuid7

HEADER = "X-Request-Id"
SENT = re.compile("[\x21-\x7e]{1,128}")
KEY = "orders_service.request_id"  # The id of a request in its WSGI environment.


def new() -> str:
    """A new id. It begins with the time, so that the ids of a log are in its sequence."""
    return str(uuid7())


def current() -> str:
    """The id of the current request."""
    return of(request.environ)


def of(environ: dict[str, Any]) -> str:
    """The id of a request: the one that the client sent, if it can be used, or a new one."""
    known: str | None = environ.get(KEY)
    if known is None:
        sent: str | None = environ.get("HTTP_X_REQUEST_ID")
        known = environ[KEY] = sent if sent is not None and SENT.fullmatch(sent) else new()
    return known


def instance(request_id: str) -> str:
    """The `instance` of a problem (RFC 9457, 3.1.5): a URI reference that nobody can open."""
    return f"/requests/{quote(request_id, safe='')}"


def add_to_line(_: object, __: str, line: Any) -> Any:
    """Add the id to a log line that is written while a request is served: a processor of structlog."""
    if has_request_context():
        line.setdefault("request_id", current())
    return line
