"""The envelope of an event: CloudEvents 1.0 attributes in Kafka headers (binary mode)."""

import re
from collections.abc import Iterable, Mapping

Headers = tuple[tuple[str, bytes | None], ...]

CONTENT_TYPE = "application/json"
TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


def write_headers(attributes: Mapping[str, str], traceparent: str | None) -> Headers:
    """The headers of an event with these CloudEvents *attributes*."""
    headers: list[tuple[str, bytes | None]] = [
        (f"ce_{name}", value.encode()) for name, value in attributes.items()
    ]
    headers.append(("content-type", CONTENT_TYPE.encode()))
    if traceparent:
        headers.append(("traceparent", traceparent.encode()))
    return tuple(headers)


def headers_by_name(headers: Iterable[tuple[str, bytes | None]]) -> dict[str, str]:
    """The headers that have a value, by name. Bytes that are not UTF-8 are replaced, not refused."""
    return {name: value.decode(errors="replace") for name, value in headers if value}


def header(headers: Iterable[tuple[str, bytes | None]], name: str) -> str | None:
    """The value of the last header called *name* that has one; None if there is none."""
    found = None
    for each, value in headers:
        if each == name and value:
            found = value
    return found.decode(errors="replace") if found else None


def trace_id_of(traceparent: str | None) -> str | None:
    """The id of the trace, for a log line; None if there is no valid *traceparent*."""
    return traceparent[3:35] if traceparent and TRACEPARENT.fullmatch(traceparent) else None


def traceparent_or_none(value: str | None) -> str | None:
    """*value* if it has the form of W3C Trace Context, else None."""
    return value if value and TRACEPARENT.fullmatch(value) else None
