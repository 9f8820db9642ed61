"""Sends spans to a receiver. One line says that this fails, and one that it works again."""

import logging
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

REASON_MAX = 500  # Characters of the reason in our log. The receiver's own text may be a part of it.

log = logging.getLogger(__name__)


class Exporter(SpanExporter):
    """Sends spans to the receiver at *endpoint*. OpenTelemetry tries for ten seconds; then they are lost."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._failures = Failures(endpoint)
        library = logging.getLogger("opentelemetry.exporter")
        library.handlers, library.propagate = [self._failures], False
        self._exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send *spans*."""
        result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS and self._failures.told:
            self._failures.told = False
            log.warning("Traces are sent again to %s.", self._endpoint)
        return result

    def shutdown(self) -> None:
        """Stop sending, including retries."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]


class Failures(logging.Handler):
    """Gets what OpenTelemetry would log at each attempt, and logs the first failure as our own line."""

    def __init__(self, endpoint: str) -> None:
        super().__init__(logging.WARNING)
        self._endpoint = endpoint
        self.told = False

    def emit(self, record: logging.LogRecord) -> None:
        """Log one line, until it works again."""
        if not self.told:
            self.told = True
            text = "Cannot send traces to %s. Orders are served without them. %s"
            log.warning(text, self._endpoint, record.getMessage()[:REASON_MAX])
