"""Decides by its `traceparent` whether a request or a record is traced, within a bound."""

import re
from typing import TypeGuard

from opentelemetry.trace import SpanContext, TraceFlags

# W3C Trace Context, level 2. The groups are the ids of the trace and of the span, and the flags.
TRACEPARENT = re.compile(
    "(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f][0-9a-f])"
)
SAMPLED = tuple("13579bdf")  # The last digit of a `traceparent` whose flag `sampled` is set.
# What a stranger can make a process do by that flag: spans of requests and, in a worker, spans of records.
REQUESTS_PER_SECOND = 100
RECORDS_PER_SECOND = 1000


def context_of(traceparent: str) -> SpanContext | None:
    """The context of a `traceparent`; None if it is invalid."""
    match = TRACEPARENT.fullmatch(traceparent)
    if match is None:
        return None
    flags = TraceFlags(int(match[3], 16))
    return SpanContext(int(match[1], 16), int(match[2], 16), is_remote=True, trace_flags=flags)


def is_sampled(traceparent: str | None) -> TypeGuard[str]:
    """Whether the flag `sampled` of a *traceparent* is set. It may be invalid in other ways."""
    return traceparent is not None and traceparent.endswith(SAMPLED)
