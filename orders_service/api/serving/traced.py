"""A request that is traced: its span ends with the head of its answer, or when its client hangs up."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import g, request

from orders_service.api.routes import path_of

if TYPE_CHECKING:
    from orders_service.tracing.spans import Request

Answer = Callable[..., Any]  # WSGI's `start_response`.


def answer(
    app: Callable[[dict[str, Any], Answer], Iterable[bytes]],
    environ: dict[str, Any],
    start_response: Answer,
    span: "Request",
) -> Iterable[bytes]:
    """Answer the request with *app*, and end its *span*."""
    known: dict[str, Any] = {}

    def start(status: str, *rest: Any) -> Any:
        rule = request.url_rule
        known.update(status=int(status[:3]), route=rule and path_of(rule.rule), order_id=g.get("order_id"))
        return start_response(status, *rest)

    try:
        return app(environ, start)
    finally:
        span.end(environ["REQUEST_METHOD"], **known)
