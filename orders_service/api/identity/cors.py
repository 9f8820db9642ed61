"""CORS: with CORS_ORIGINS, pages of other origins may call the API from a browser, but not `/admin`."""

from flask import Flask, Response, current_app, request

from orders_service.settings import Settings

METHODS = "GET, POST"
REQUEST_HEADERS = (
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Prefer,"
    " traceparent, X-Request-Id"
)
# Headers of an answer that a page may read, beside those that it always may (Content-Type, …).
ANSWER_HEADERS = (
    "ETag, Idempotent-Replayed, Link, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After,"
    " WWW-Authenticate, X-Request-Id"
)
PREFLIGHT_SECONDS = 600  # A browser need not ask again for so long.


def init_app(app: Flask, settings: Settings) -> None:
    """Answer the preflight requests of the allowed origins, and let their pages read the answers.

    Cookies are never used, so `Access-Control-Allow-Credentials` is not sent.
    """
    origins = frozenset(settings.cors_origins.split())
    if not origins:
        return

    def is_allowed() -> bool:
        # A shop's page has no business with the operator's addresses, which may be open on this machine.
        return request.headers.get("Origin") in origins and not request.path.startswith("/admin")

    def answer_preflight() -> Response | None:
        asks = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        if not asks or not is_allowed():
            return None
        response = current_app.response_class(status=204)
        response.headers["Access-Control-Allow-Methods"] = METHODS
        response.headers["Access-Control-Allow-Headers"] = REQUEST_HEADERS
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
        return response

    def allow(response: Response) -> Response:
        response.headers.add("Vary", "Origin")  # A cache must not give one origin's answer to another.
        if is_allowed():
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Expose-Headers"] = ANSWER_HEADERS
        return response

    app.before_request(answer_preflight)
    app.after_request(allow)
