"""The part of a request's duration that is the service's own, and not its client's.

A client may take seconds to send its body, and may ask the service to wait for an order. Neither makes the
service slow: metrics and the log leave it out.
"""

from typing import Any

WAITS = "orders_service.waits"  # Set in the WSGI environment of a request that waits for an order.
BODY_SECONDS = "orders_service.body_seconds"  # In the WSGI environment: how long the body was waited for.


def mark_as_waiting(environ: dict[str, Any]) -> None:
    """Do not measure this request: it waits as long as its client has asked for."""
    environ[WAITS] = True


def waits(environ: dict[str, Any]) -> bool:
    """Whether the request waits for an order."""
    return WAITS in environ


def note_body(environ: dict[str, Any], seconds: float) -> None:
    """Note how long the client took to send the body."""
    environ[BODY_SECONDS] = seconds


def own_seconds(environ: dict[str, Any], seconds: float) -> float:
    """The *seconds* of a request without those in which its client sent the body."""
    return seconds - float(environ.get(BODY_SECONDS, 0.0))
