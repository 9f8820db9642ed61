"""The answers to clients that are refused: problem details, and the header WWW-Authenticate (RFC 6750)."""

import structlog
from flask import Flask, Response

from orders_service.api.identity.errors import (
    IdentityError,
    InsufficientScope,
    InvalidToken,
    KeysUnavailable,
    NotYourOrders,
    Unauthorized,
)
from orders_service.api.identity.key_sets import RETRY_SECONDS
from orders_service.api.problems import later, problem

CHALLENGE = 'Bearer realm="orders"'

log = structlog.get_logger()


def init_app(app: Flask) -> None:
    """Answer every `IdentityError` with problem details."""
    app.register_error_handler(Unauthorized, _unauthorized)
    app.register_error_handler(InvalidToken, _invalid_token)
    app.register_error_handler(KeysUnavailable, _keys_unavailable)
    app.register_error_handler(InsufficientScope, _insufficient_scope)
    app.register_error_handler(NotYourOrders, _not_your_orders)


def _unauthorized(error: Unauthorized) -> Response:
    return _challenge(problem("unauthorized", str(error)))


def _invalid_token(error: InvalidToken) -> Response:
    return _challenge(problem("unauthorized", str(error)), ', error="invalid_token"')


def _insufficient_scope(error: InsufficientScope) -> Response:
    _log(error)
    response = problem("insufficient-scope", str(error), scope=error.scope)
    return _challenge(response, f', error="insufficient_scope", scope="{error.scope}"')


def _not_your_orders(error: NotYourOrders) -> Response:
    _log(error)
    return problem("not-your-orders", str(error))


def _keys_unavailable(error: KeysUnavailable) -> Response:
    return later(problem("keys-unavailable", str(error)), RETRY_SECONDS)


def _challenge(response: Response, more: str = "") -> Response:
    response.headers["WWW-Authenticate"] = CHALLENGE + more
    return response


def _log(error: IdentityError) -> None:
    log.debug("request refused", reason=str(error))
