"""The spans of requests, and of work for several orders at once.

The span of an order's HTTP request is the parent of all others of its trace: the order's events have its
`traceparent`, and nothing rewrites that of a record. Spans are made outside transactions.
"""

import time
from collections.abc import Iterable, Mapping
from itertools import islice

from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    Tracer,
    set_span_in_context,
)

from orders_service.tracing.names import ERROR, METHOD, ORDER, OTHER, ROUTE, STATUS

LINKS = 8  # The most links of a span.

Attributes = Mapping[str, str | int]


class Request:
    """A request that is traced. *traceparent* is that of its span."""

    def __init__(self, span: Span, traceparent: str, open_spans: dict[str, SpanContext]) -> None:
        self.traceparent = traceparent
        self._span = span
        self._open = open_spans
        open_spans[traceparent] = span.get_span_context()

    def end(
        self, method: str, *, status: int = 0, route: str | None = None, order_id: str | None = None
    ) -> None:
        """End the span. *status* is 0 if the request got no answer: the client has hung up."""
        self._open.pop(self.traceparent, None)
        known = method if route else OTHER  # A request without a route may have any method.
        self._span.update_name(f"{known} {route or ''}".rstrip())
        self._span.set_attribute(METHOD, known)
        if route:
            self._span.set_attribute(ROUTE, route)
        if status:
            self._span.set_attribute(STATUS, status)
        if order_id:
            self._span.set_attribute(ORDER, order_id)
        if status >= 500 or not status:
            self._span.set_attribute(ERROR, str(status) if status else "cancelled")
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


class Batch:
    """Work for several orders at once, of which *traced* are traced: their places, and their spans."""

    def __init__(
        self,
        tracer: Tracer,
        name: str,
        kind: SpanKind,
        attributes: Attributes,
        traced: Mapping[int, SpanContext],
    ) -> None:
        self._tracer = tracer
        self._name = name
        self._kind = kind
        self._attributes = attributes
        self._traced = traced
        self._began = time.time_ns()

    @property
    def places(self) -> Iterable[int]:
        """The places in the batch of what is traced."""
        return self._traced

    def end(
        self, *, failed: Mapping[int, str] | None = None, details: Mapping[int, Attributes] | None = None
    ) -> None:
        """Make the spans, by place: *failed* are the errors, *details* are attributes of single spans."""
        ended = time.time_ns()
        distinct = {context.span_id: context for context in self._traced.values()}
        nearest = list(islice(distinct.values(), LINKS + 1))
        for place, parent in self._traced.items():
            others = [context for context in nearest if context.span_id != parent.span_id]
            span = self._tracer.start_span(
                self._name,
                context=set_span_in_context(NonRecordingSpan(parent)),
                kind=self._kind,
                attributes={**self._attributes, **(details or {}).get(place, {})},
                links=[Link(context) for context in others[:LINKS]],
                start_time=self._began,
            )
            if error := (failed or {}).get(place):
                span.set_attribute(ERROR, error)
                span.set_status(StatusCode.ERROR)
            span.end(ended)
