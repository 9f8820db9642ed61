"""Traces of orders: decided before anything is made, so that an order that is not traced costs nothing.

`recording.py` decides and makes the spans. It is loaded only when tracing is on: it loads OpenTelemetry.
"""

import os
import pkgutil
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orders_service.tracing.recording import Recorder
    from orders_service.tracing.spans import Batch

recorder: "Recorder | None" = None  # None: tracing is off.


def start(process: str, *, endpoint: str, share: float, service: str, broker: str) -> None:
    """Trace in this process from now on, if there is an *endpoint*. Call it after a fork, not before.

    *share* is the part of the requests without a `traceparent` that is traced. *broker* is a value of BROKER.
    """
    global recorder
    if endpoint and os.environ.get("OTEL_SDK_DISABLED", "").lower() != "true":
        make = pkgutil.resolve_name("orders_service.tracing.recording:Recorder")
        recorder = make(process, endpoint=endpoint, share=share, service=service, broker=broker)


def begin_group(traceparents: Iterable[str | None], database: str) -> "Batch | None":
    """Begin the spans of a group commit; None if no request that is traced is served now."""
    if recorder is None or not recorder.open:
        return None
    return recorder.begin_group([*traceparents], database)


def close() -> None:
    """Send the spans that are left, within a bound, and trace nothing more."""
    global recorder
    if recorder is not None:
        recorder.close()
        recorder = None
