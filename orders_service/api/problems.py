"""Every error as problem details (RFC 9457)."""

import json
from collections.abc import Mapping
from typing import Any

import structlog
from flask import Flask, Response, current_app, g, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import HTTPException, InternalServerError, RequestEntityTooLarge

from orders_service.api.committer import Overdue
from orders_service.catalog.errors import ProductNotFound
from orders_service.orders.errors import KeyReused, OrderNotFound, OrderRejected

RETRY_SECONDS = 1

log = structlog.get_logger()


class InvalidBody(Exception):
    """The body is not a JSON object. The text says what it is."""


class InvalidKey(Exception):
    """The Idempotency-Key header cannot be used. The text says why."""


class InvalidFields(Exception):
    """Fields of a request are wrong: *errors* has a text for each, by name."""

    def __init__(self, errors: Mapping[str, str], *, in_path: frozenset[str] = frozenset()) -> None:
        super().__init__(", ".join(errors))
        self.errors = [
            {"field": name, "detail": text} | ({} if name in in_path else {"pointer": f"/{_escaped(name)}"})
            for name, text in errors.items()
        ]


def problem(status: int, slug: str, title: str, detail: str | None = None, **members: Any) -> Response:
    """A response with problem details; *members* are its extensions."""
    body = {"type": f"/problems/{slug}", "title": title, "status": status}
    if detail:
        body["detail"] = detail
    # Escaped, because a client's words are told back, and half a character has no UTF-8.
    text = json.dumps(body | members, separators=(",", ":"))
    response = current_app.response_class(text + "\n", status)
    response.content_type = "application/problem+json"
    return response


def init_app(app: Flask) -> None:
    """Answer every exception, ours and Flask's, with problem details."""
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(InternalServerError, _internal)
    app.register_error_handler(DBAPIError, _unavailable)
    app.register_error_handler(PoolTimeout, _unavailable)
    app.register_error_handler(Overdue, _unavailable)

    @app.errorhandler(InvalidBody)
    def on_invalid_body(error: InvalidBody) -> Response:
        return problem(400, "invalid-body", "The body is not a JSON object", str(error))

    @app.errorhandler(InvalidKey)
    def on_invalid_key(error: InvalidKey) -> Response:
        return problem(400, "invalid-idempotency-key", "The idempotency key cannot be used", str(error))

    @app.errorhandler(InvalidFields)
    def on_invalid_fields(error: InvalidFields) -> Response:
        detail = "; ".join(f"{e['field']} {e['detail']}" for e in error.errors)
        return problem(
            422, "invalid-fields", "The order cannot be taken as it is", detail, errors=error.errors
        )

    @app.errorhandler(KeyReused)
    def on_key_reused(error: KeyReused) -> Response:
        detail = "With this Idempotency-Key another order was placed; a new order needs a new key."
        return problem(
            422, "idempotency-key-reused", "The idempotency key is taken", detail, orderId=error.order_id
        )

    @app.errorhandler(OrderNotFound)
    def on_order_not_found(error: OrderNotFound) -> Response:
        detail = f"This user has no order {error.order_id}."
        return problem(404, "order-not-found", "There is no such order", detail)

    @app.errorhandler(OrderRejected)
    def on_order_rejected(error: OrderRejected) -> Response:
        detail = f"Order {error.order_id} was rejected; there is nothing to cancel."
        return problem(409, "order-rejected", "The order was rejected", detail)

    @app.errorhandler(ProductNotFound)
    def on_product_not_found(error: ProductNotFound) -> Response:
        detail = f"The catalog has no product {error.product_id}."
        return problem(404, "product-not-found", "There is no such product", detail)


def _http(error: HTTPException) -> Response:
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    detail = error.description
    if isinstance(error, RequestEntityTooLarge):
        detail = f"The body may have {current_app.config['MAX_CONTENT_LENGTH']} bytes at most."
    response = problem(error.code or 500, error.name.lower().replace(" ", "-"), error.name, detail)
    for name, value in error.get_headers():
        if name.lower() != "content-type":
            response.headers[name] = value
    return response


def _internal(_: InternalServerError) -> Response:
    """A fault of ours. Flask has logged it, with its traceback."""
    return problem(500, "internal-server-error", "Internal Server Error", "The fault is ours; it was logged.")


def _unavailable(error: DBAPIError | PoolTimeout | Overdue) -> Response:
    """The database is away. Whether an order was recorded may be unknown, so its id is told."""
    log.error("database unavailable", error=str(error.args[0] if error.args else error))
    detail = "The database is not available. Try again."
    members = {}
    if order_id := g.get("order_id"):
        members["orderId"] = order_id
        detail = "The database is not available; it is unknown whether the order was placed. "
        if "Idempotency-Key" in request.headers:
            detail += "Send it again with the same Idempotency-Key."
        else:
            detail += "Look for the orderId before you send it again."
    response = problem(503, "database-unavailable", "The database is not available", detail, **members)
    response.headers["Retry-After"] = str(RETRY_SECONDS)
    return response


def _escaped(name: str) -> str:
    """*name* as a step of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
