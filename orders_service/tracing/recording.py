"""The recorder of a process: decides which requests and records are traced, and begins their spans."""

import logging
import os
import random
import socket
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, set_span_in_context

from orders_service import __version__
from orders_service.per_second import PerSecond
from orders_service.tracing import names
from orders_service.tracing.deciding import (
    RECORDS_PER_SECOND,
    REQUESTS_PER_SECOND,
    context_of,
    is_sampled,
)
from orders_service.tracing.export import Exporter
from orders_service.tracing.spans import Attributes, Batch, Request

EXPORT_MILLISECONDS = 1000  # A span is sent after this long at the latest.
CLOSE_SECONDS = 1.5  # How long `close` waits for the receiver.

log = logging.getLogger(__name__)


class Recorder:
    """Decides which requests and records are traced, and begins their spans."""

    def __init__(self, process: str, *, endpoint: str, share: float, service: str, broker: str) -> None:
        described = {
            "service.name": service,
            "service.version": __version__,
            "service.instance.id": f"{process}@{socket.gethostname()}:{os.getpid()}",
        }
        self._provider = TracerProvider(
            sampler=ALWAYS_ON, resource=Resource.create(described), shutdown_on_exit=False
        )
        exporter = Exporter(endpoint)
        self._provider.add_span_processor(
            BatchSpanProcessor(exporter, schedule_delay_millis=EXPORT_MILLISECONDS)
        )
        self._tracer = self._provider.get_tracer("orders_service", __version__)
        self._share = share
        self._broker = broker
        self._requests = PerSecond(REQUESTS_PER_SECOND)
        self._records = PerSecond(RECORDS_PER_SECOND)
        self.open: dict[str, SpanContext] = {}  # The spans of requests that are served now.

    def begin_request(self, environ: dict[str, Any]) -> Request | None:
        """Begin the span of a request, if it is traced, and make its `traceparent` that of the span.

        A client's `traceparent` decides by its flag; of the other requests a part is traced.
        """
        sent = environ.get("HTTP_TRACEPARENT")
        parent = context_of(sent) if sent is not None else None
        if parent is None:
            if random.random() >= self._share:
                return None
        elif not parent.trace_flags.sampled:
            return None
        elif not self._requests.take():
            assert sent is not None
            environ["HTTP_TRACEPARENT"] = f"{sent[:-2]}00"  # Nobody may trace a part of this order.
            return None
        context = set_span_in_context(NonRecordingSpan(parent)) if parent else None
        span = self._tracer.start_span("request", context=context, kind=SpanKind.SERVER)
        made = span.get_span_context()
        environ["HTTP_TRACEPARENT"] = f"00-{made.trace_id:032x}-{made.span_id:016x}-01"
        return Request(span, environ["HTTP_TRACEPARENT"], self.open)

    def begin_group(self, traceparents: Sequence[str | None], database: str) -> Batch | None:
        """Begin a group commit. Traced are the requests whose spans this process has begun."""
        places = {text: place for place, text in enumerate(traceparents) if text}
        traced = {place: context for text, place in places.items() if (context := self.open.get(text))}
        attributes: Attributes = {names.DATABASE: database, names.GROUP_SIZE: len(traceparents)}
        return self._batch(names.GROUP, SpanKind.INTERNAL, attributes, traced)

    def begin_send(self, topic: str, traceparents: Sequence[str | None]) -> Batch | None:
        """Begin to send a batch of events."""
        traced = self._sampled(traceparents)
        attributes = self._messaging(names.SEND, topic, len(traceparents))
        return self._batch(f"{names.SEND} {topic}", SpanKind.PRODUCER, attributes, traced)

    def begin_process(self, group: str, topic: str, traceparents: Sequence[str | None]) -> Batch | None:
        """Begin to apply a batch of records."""
        traced = self._sampled(traceparents)
        attributes = self._messaging(names.PROCESS, topic, len(traceparents))
        attributes |= {names.CONSUMER_GROUP: group}
        return self._batch(f"{names.PROCESS} {topic}", SpanKind.CONSUMER, attributes, traced)

    def close(self) -> None:
        """Send the spans that are left. If the receiver does not answer soon, they are lost."""
        closing = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)
        if closing.is_alive():
            log.warning("The last traces are lost: the receiver did not answer within %s s.", CLOSE_SECONDS)

    def _batch(
        self, name: str, kind: SpanKind, attributes: Attributes, traced: Mapping[int, SpanContext]
    ) -> Batch | None:
        return Batch(self._tracer, name, kind, attributes, traced) if traced else None

    def _messaging(self, operation: str, topic: str, count: int) -> dict[str, str | int]:
        return {
            names.SYSTEM: self._broker,
            names.OPERATION: operation,
            names.OPERATION_TYPE: operation,
            names.TOPIC: topic,
            names.BATCH_SIZE: count,
        }

    def _sampled(self, traceparents: Sequence[str | None]) -> dict[int, SpanContext]:
        return {
            place: context
            for place, text in enumerate(traceparents)
            if is_sampled(text) and (context := context_of(text)) and self._records.take()
        }
