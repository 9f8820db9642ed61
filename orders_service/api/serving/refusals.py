"""Problem details for bytes that are not a valid request, written without Flask."""

from http import HTTPStatus

from gunicorn.http.errors import (
    ExpectationFailed,
    LimitRequestHeaders,
    LimitRequestLine,
    ParseException,
    UnsupportedTransferCoding,
)
from werkzeug.exceptions import RequestEntityTooLarge, RequestTimeout

from orders_service.api import request_ids
from orders_service.api.body import SLOW_BODY
from orders_service.api.identity.authentication import HEADER_BYTES_MAX
from orders_service.api.problems import problem_body
from orders_service.api.request_metrics import count_refusal
from orders_service.api.serving.application import EVERYWHERE
from orders_service.api.serving.connection import HEAD_BYTES, HEAD_SECONDS, HeadTooLong, HeadTooSlow
from orders_service.contract.problems import MEDIA_TYPE, PROBLEMS

# An answer states the server's HTTP version, even if the client's request states a later one (RFC 9110, 6.2).
HTTP_1_1 = (1, 1)
FIELDS_MAX = 50
FIELD_BYTES = 2048
TOKEN_FIELD_BYTES = HEADER_BYTES_MAX + 64  # With AUTH_MODE=jwt: room for the name of the field, too.
LINE_BYTES = 8190

HEADERS = "".join(f"{name}: {value}\r\n" for name, value in EVERYWHERE)
TOO_LONG = (
    f"The request head may have at most {FIELDS_MAX} fields of {FIELD_BYTES} bytes"
    f" ({HEADER_BYTES_MAX} with AUTH_MODE=jwt), and {HEAD_BYTES} bytes in total."
)
KNOWN: list[tuple[type[Exception], str, str]] = [
    (HeadTooSlow, "request-timeout", f"Send the request head within {HEAD_SECONDS} s."),
    (HeadTooLong, "request-header-fields-too-large", TOO_LONG),
    (LimitRequestHeaders, "request-header-fields-too-large", TOO_LONG),
    (
        LimitRequestLine,
        "request-uri-too-long",
        f"The request line must not be longer than {LINE_BYTES} bytes.",
    ),
    (ExpectationFailed, "expectation-failed", "Only `Expect: 100-continue` is supported."),
    # RFC 9112 suggests 501. But the client must correct this, and a 5xx would count as the service's fault.
    (UnsupportedTransferCoding, "bad-request", "Only `Transfer-Encoding: chunked` is supported."),
    (RequestTimeout, "request-timeout", SLOW_BODY),
    (RequestEntityTooLarge, "request-entity-too-large", "The body is too large."),
    (ParseException, "bad-request", "This is not a valid HTTP/1.1 request."),
]


def refusal_of(error: BaseException) -> bytes | None:
    """The complete answer to a client that caused *error*; None if the fault is not the client's."""
    for kind, slug, detail in KNOWN:
        if isinstance(error, kind):
            return answer(slug, detail)
    return None


def answer(slug: str, detail: str, request_id: str | None = None) -> bytes:
    """A complete HTTP/1.1 answer with problem details and `Connection: close`. It is counted as sent."""
    request_id = request_id or request_ids.new()
    body, status = problem_body(slug, detail, request_id), HTTPStatus(PROBLEMS[slug].status)
    count_refusal(status.value)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n"
        f"{request_ids.HEADER}: {request_id}\r\n"
        f"Content-Type: {MEDIA_TYPE}\r\nContent-Length: {len(body)}\r\n{HEADERS}\r\n"
    )
    return head.encode() + body
