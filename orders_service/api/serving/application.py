"""The class of the Flask app. Dispatch and JSON responses cost less than in Flask (`docs/performance.md`)."""

from collections.abc import Iterable
from functools import lru_cache
from time import perf_counter
from typing import Any

import orjson
from flask import Flask, Request, Response, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.datastructures import Headers
from werkzeug.routing import MapAdapter

from orders_service import tracing
from orders_service.api import request_ids
from orders_service.api.own_time import own_seconds
from orders_service.api.request_log import RequestLog
from orders_service.api.request_metrics import RequestMetrics
from orders_service.api.serving import traced

CHECKED = "3.1.3"  # The version of Flask whose private `_prepare_response_obj` is used below.
CHECKED_WERKZEUG = "3.1.9"  # The version of Werkzeug whose private `Headers._list` is used below.


# Headers of every answer: a browser must not guess another content type, and nobody may store an order.
EVERYWHERE = [("X-Content-Type-Options", "nosniff"), ("Cache-Control", "no-store")]
OF_JSON = [("Content-Type", "application/json"), *EVERYWHERE]


class FinalResponse(Response):
    """A response whose headers are final once Content-Length is set: Werkzeug does not process them again.

    The request's id is added here, where the environment is at hand. A hook (`after_request`) cost 4.6 µs.
    """

    def get_wsgi_headers(self, environ: Any) -> Headers:
        headers = self.headers if "Content-Length" in self.headers else super().get_wsgi_headers(environ)
        headers.add(request_ids.HEADER, request_ids.of(environ))
        return headers


class ApiResponse(FinalResponse):
    """A response that has the headers of every answer from the beginning. A view may change them."""

    def __init__(self, response: Any = None, status: Any = None, headers: Any = None, **rest: Any) -> None:
        all_headers = Headers(EVERYWHERE)
        if headers is not None:
            all_headers.update(headers)
        super().__init__(response, status, all_headers, **rest)


class Json(DefaultJSONProvider):
    """Writes JSON as the course's services do: compact, keys in the given order, text not escaped."""

    def response(self, *args: Any, **kwargs: Any) -> Response:
        body = orjson.dumps(self._prepare_response_obj(args, kwargs), option=orjson.OPT_APPEND_NEWLINE)
        headers = Headers()
        headers._list = OF_JSON.copy()  # Ready-made: Werkzeug need not check each of them.
        # Werkzeug need not wrap the body: it is bytes already, and there is nothing to close.
        return FinalResponse(body, headers=headers, direct_passthrough=True)


class Application(Flask):
    """Flask with cheaper dispatch: no view is async, and routes match by path and method, not by host."""

    request_metrics: RequestMetrics
    request_log: RequestLog
    json_provider_class = Json
    response_class = ApiResponse

    # Flask would ask for every view and hook of a request whether it is a coroutine. A cached function is
    # answered without a call in Python.
    ensure_sync = staticmethod(lru_cache(maxsize=256)(lambda func: func))

    def wsgi_app(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        recorder = tracing.recorder
        span = None if recorder is None else recorder.begin_request(environ)
        if span is None:
            return super().wsgi_app(environ, start_response)
        return traced.answer(super().wsgi_app, environ, start_response, span)

    def full_dispatch_request(self) -> Response:
        # A hook (`after_request`) would cost as much as the counting.
        asked = request._get_current_object()  # type: ignore[attr-defined]
        begun = perf_counter()
        try:
            response = super().full_dispatch_request()
        except Exception:  # Flask answers 500.
            self._note(asked, 500, perf_counter() - begun)
            raise
        self._note(asked, response.status_code, perf_counter() - begun)
        return response

    def _note(self, asked: Request, status: int, seconds: float) -> None:
        seconds = own_seconds(asked.environ, seconds)
        self.request_metrics.count(asked, status, seconds)
        self.request_log.note(asked, status, seconds)

    def make_response(self, rv: Any) -> Response:
        # Flask would check the type of a complete response in several ways.
        return rv if type(rv) is FinalResponse else super().make_response(rv)

    def create_url_adapter(self, request: Request | None) -> MapAdapter | None:
        if request is None:
            return super().create_url_adapter(None)
        return self.url_map.bind("", path_info=request.path, default_method=request.method)
