"""METRICS_PORT of the API: gunicorn listens on it, too, and each of its processes serves both ports."""

from collections.abc import Callable, Iterable
from typing import Any

from orders_service.metrics import port

App = Callable[..., Iterable[bytes]]


def with_metrics_port(app: App, number: int, metrics: Callable[[], bytes]) -> App:
    """*app* for all ports but *number*, which serves only `/metrics` and `/livez`, without a token.

    The port is that of the socket on which the request came in, whatever its header Host says.
    """
    ours = str(number)

    def serve(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
        if environ["SERVER_PORT"] != ours:
            return app(environ, start_response)
        status, content_type, body = port.answer(environ["REQUEST_METHOD"], environ["PATH_INFO"], metrics)
        headers = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    return serve
