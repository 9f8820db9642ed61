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

from orders_service.api.body import SLOW_BODY
from orders_service.api.problems import PROBLEM_TYPE, problem_body
from orders_service.api.serving.connection import HEAD_BYTES, HEAD_SECONDS, HeadTooLong, HeadTooSlow

# An answer states the server's HTTP version, even if the client's request states a later one (RFC 9110, 6.2).
HTTP_1_1 = (1, 1)
FIELDS_MAX = 50
FIELD_BYTES = 2048
LINE_BYTES = 8190

TOO_LONG = (
    f"The request head may have at most {FIELDS_MAX} fields of {FIELD_BYTES} bytes,"
    f" and {HEAD_BYTES} bytes in total."
)
KNOWN: list[tuple[type[Exception], HTTPStatus, str]] = [
    (HeadTooSlow, HTTPStatus.REQUEST_TIMEOUT, f"Send the request head within {HEAD_SECONDS} s."),
    (HeadTooLong, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, TOO_LONG),
    (LimitRequestHeaders, HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, TOO_LONG),
    (
        LimitRequestLine,
        HTTPStatus.REQUEST_URI_TOO_LONG,
        f"The request line must not be longer than {LINE_BYTES} bytes.",
    ),
    (ExpectationFailed, HTTPStatus.EXPECTATION_FAILED, "Only `Expect: 100-continue` is supported."),
    # RFC 9112 suggests 501. But the client must correct this, and a 5xx would count as the service's fault.
    (UnsupportedTransferCoding, HTTPStatus.BAD_REQUEST, "Only `Transfer-Encoding: chunked` is supported."),
    (RequestTimeout, HTTPStatus.REQUEST_TIMEOUT, SLOW_BODY),
    (RequestEntityTooLarge, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large."),
    (ParseException, HTTPStatus.BAD_REQUEST, "This is not a valid HTTP/1.1 request."),
]


def refusal_of(error: BaseException) -> bytes | None:
    """The complete answer to a client that caused *error*; None if the fault is not the client's."""
    for kind, status, detail in KNOWN:
        if isinstance(error, kind):
            return answer(status, detail)
    return None


def answer(status: HTTPStatus, detail: str) -> bytes:
    """A complete HTTP/1.1 answer with problem details and `Connection: close`."""
    slug = status.phrase.lower().replace(" ", "-")
    body = problem_body(status, slug, status.phrase, detail)
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nConnection: close\r\n"
        f"Content-Type: {PROBLEM_TYPE}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
