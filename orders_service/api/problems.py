"""Error responses: every error as problem details (RFC 9457)."""

import json
from collections.abc import Callable
from typing import Any

import structlog
from flask import Flask, Response, current_app, g, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import (
    HTTPException,
    InternalServerError,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
)

from orders_service.api import request_ids
from orders_service.api.committer import Overdue, Overloaded
from orders_service.api.errors import (
    InvalidBody,
    InvalidFields,
    InvalidKey,
    UnknownAfter,
    UnknownParameter,
    shortened,
)
from orders_service.api.etags import etag
from orders_service.api.identity.errors import HostNotAllowed
from orders_service.api.rate_limit import QuotaExceeded
from orders_service.api.seats import TooManyWaiters
from orders_service.catalog.errors import ProductNotFound
from orders_service.contract.problems import MEDIA_TYPE, PROBLEMS
from orders_service.database.errors import error_code
from orders_service.operations import actions
from orders_service.orders.errors import KeyReused, OrderNotFound, OrderRejected, VersionMoved

RETRY_SECONDS = 1
READ_ONLY = (1290, 1836)  # MariaDB's error codes for a write to a read-only server.
# The problem types of Werkzeug's exceptions, by status.
OF_HTTP_STATUS = {
    400: "bad-request",
    404: "not-found",
    405: "method-not-allowed",
    408: "request-timeout",
    413: "request-entity-too-large",
    415: "unsupported-media-type",
}

log = structlog.get_logger()


def problem(slug: str, detail: str, **members: Any) -> Response:
    """A response with problem details: a type of `contract/problems.py`; *members* are extension members."""
    body = problem_body(slug, detail, request_ids.current(), **members)
    response = current_app.response_class(body, PROBLEMS[slug].status)
    response.content_type = MEDIA_TYPE
    return response


def later(response: Response, seconds: int = RETRY_SECONDS) -> Response:
    """*response* with the header Retry-After."""
    response.headers["Retry-After"] = str(seconds)
    return response


def problem_body(slug: str, detail: str, request_id: str, **members: Any) -> bytes:
    """Problem details as bytes of JSON."""
    kind = PROBLEMS[slug]
    body = {"type": kind.uri, "title": kind.title, "status": kind.status, "detail": detail}
    body |= {"instance": request_ids.instance(request_id)} | members
    # Escaped to ASCII: the client's text may contain an unpaired surrogate, which UTF-8 cannot encode.
    return json.dumps(body, separators=(",", ":")).encode() + b"\n"


def init_app(app: Flask) -> None:
    """Answer every exception, ours and Flask's, with problem details."""
    handlers: dict[type[Exception], Callable[[Any], Response]] = {
        HTTPException: _http,
        InternalServerError: _internal,
        DBAPIError: _unavailable,
        PoolTimeout: _overloaded,
        Overdue: _unavailable,
        Overloaded: _overloaded,
        TooManyWaiters: _too_many_waiters,
        QuotaExceeded: _quota_exceeded,
        InvalidBody: _invalid_body,
        InvalidKey: _invalid_key,
        InvalidFields: _invalid_fields,
        UnknownParameter: _unknown_parameter,
        UnknownAfter: _unknown_after,
        HostNotAllowed: _host_not_allowed,
        KeyReused: _key_reused,
        actions.KeyReused: _key_of_other_action,
        actions.StillRunning: _still_running,
        OrderNotFound: _order_not_found,
        OrderRejected: _order_rejected,
        VersionMoved: _version_moved,
        ProductNotFound: _product_not_found,
    }
    for kind, handler in handlers.items():
        app.register_error_handler(kind, handler)


def _overloaded(error: Overloaded | PoolTimeout) -> Response:
    detail = "Too many requests wait for the database. Nothing was written. Try again."
    if isinstance(error, Overloaded):
        detail = "Too many orders are waiting to be committed. This order was not placed. Try again."
    return later(problem("overloaded", detail))


def _quota_exceeded(error: QuotaExceeded) -> Response:
    detail = f"You have sent too many requests. Send the next one in {error.seconds} s."
    return later(problem("quota-exceeded", detail, **{"violated-policies": ["user"]}), error.seconds)


def _too_many_waiters(_: TooManyWaiters) -> Response:
    detail = "Too many requests wait for orders. Nothing was written. Try again, or do not wait."
    return later(problem("too-many-waiters", detail))


def _invalid_body(error: InvalidBody) -> Response:
    return problem("invalid-body", str(error))


def _invalid_key(error: InvalidKey) -> Response:
    return problem("invalid-idempotency-key", str(error))


def _invalid_fields(error: InvalidFields) -> Response:
    detail = "; ".join(f"{e['field']} {e['detail']}" for e in error.errors)
    if error.more:
        detail += f"; and {error.more} more"
    return problem("invalid-fields", detail, errors=error.errors)


def _host_not_allowed(_: HostNotAllowed) -> Response:
    detail = "With AUTH_MODE=none this address answers only on localhost, 127.0.0.1, [::1] and UI_HOSTS."
    return problem("host-not-allowed", detail)


def _unknown_parameter(error: UnknownParameter) -> Response:
    accepted = f"It accepts {', '.join(error.known)}." if error.known else "It accepts no parameters."
    detail = f"This address does not accept the parameter {shortened(error.name)!r}. {accepted}"
    return problem("unknown-parameter", detail, parameters=list(error.known))


def _unknown_after(error: UnknownAfter) -> Response:
    detail = f"This list has no {shortened(str(error))!r}, after which the page would begin."
    return problem("unknown-after", detail)


def _key_reused(error: KeyReused) -> Response:
    detail = "This Idempotency-Key was used for another order. Send a new order with a new key."
    return problem("idempotency-key-reused", detail, orderId=error.order_id)


def _key_of_other_action(_: actions.KeyReused) -> Response:
    detail = "This Idempotency-Key was used for another action. Send a new action with a new key."
    return problem("idempotency-key-reused", detail)


def _still_running(_: actions.StillRunning) -> Response:
    detail = "The action with this Idempotency-Key is still running. Repeat the request to get its answer."
    return later(problem("overloaded", detail))


def _order_not_found(error: OrderNotFound) -> Response:
    has_user = "user_id" in (request.view_args or {})
    detail = f"This user has no order {error.order_id}." if has_user else f"No order is {error.order_id}."
    return problem("order-not-found", detail)


def _order_rejected(error: OrderRejected) -> Response:
    return problem("order-rejected", f"Order {error.order_id} was rejected and cannot be cancelled.")


def _version_moved(error: VersionMoved) -> Response:
    detail = f"Order {error.order_id} has changed since you read it. Nothing was written."
    response = problem("precondition-failed", detail)
    response.headers["ETag"] = etag(error.version)
    return response


def _product_not_found(error: ProductNotFound) -> Response:
    return problem("product-not-found", f"The catalog has no product {error.product_id}.")


def _http(error: HTTPException) -> Response:
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    detail = error.description
    if type(error) is NotFound and detail == NotFound.description:
        detail = "This address does not exist. GET /docs lists the addresses."
    if isinstance(error, MethodNotAllowed):
        detail = f"This address allows {', '.join(sorted(error.valid_methods or ()))}."
    if isinstance(error, RequestEntityTooLarge):
        detail = f"The body must not be larger than {current_app.config['MAX_CONTENT_LENGTH']} bytes."
    response = problem(OF_HTTP_STATUS.get(error.code or 500, "internal-server-error"), detail or error.name)
    for name, value in error.get_headers():
        if name.lower() != "content-type":
            response.headers[name] = value
    return response


def _internal(_: InternalServerError) -> Response:
    """Answer 500. Flask has logged the error with its traceback."""
    return problem("internal-server-error", "The service failed. The error was logged.")


def _unavailable(error: DBAPIError | Overdue) -> Response:
    """Answer 503: the database is down. The order may have been recorded, so the answer has its id."""
    log.error("database unavailable", error=str(error.args[0] if error.args else error))
    detail = "The database is not available. Try again."
    members: dict[str, Any] = {}
    if isinstance(error, DBAPIError) and error_code(error) in READ_ONLY:
        detail = "The database is read-only now; nothing was written. Try again later."
    elif order_id := g.get("order_id"):
        members["orderId"] = order_id
        detail = "The database is not available; it is unknown whether the order was placed. "
        if "Idempotency-Key" in request.headers:
            detail += "Send it again with the same Idempotency-Key."
        else:
            detail += "Check whether this orderId exists before you send it again."
    elif order_ids := g.get("order_ids"):
        members["orderIds"] = order_ids
        detail = "It is unknown which orders were placed. Repeat those with a key; look for the others."
    return later(problem("database-unavailable", detail, **members))
