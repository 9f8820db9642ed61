"""The security schemes and scopes of each operation, for the OpenAPI document, from `ACCESS`."""

from typing import Any

from werkzeug.routing import Rule

from orders_service.api.identity.access import ACCESS
from orders_service.contract.scopes import SCOPES

SCOPE_LIST = "".join(f"\n* `{scope}`: {about}" for scope, about in SCOPES.items())
SCHEMES: dict[str, dict[str, Any]] = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "With AUTH_MODE=jwt. Enter the token alone, without `Bearer`. Its `sub` is the id of"
        " the user. If the service has AUTH_SECRET, `orders-service token --user ID` makes a token."
        f" Scopes:\n{SCOPE_LIST}",
    },
    "key": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "API key",
        "description": "With AUTH_MODE=jwt, for services: a key that begins with `ok_`. The same scopes.",
    },
}


def security(endpoint: str) -> list[dict[str, list[str]]]:
    """The security requirement of an endpoint. With AUTH_MODE=none no token is needed: the first is empty."""
    scope = ACCESS[endpoint]
    return [] if scope is None else [{}, *({name: [scope]} for name in SCHEMES)]


def of_tokens(rule: Rule) -> tuple[str, ...]:
    """The problems of a route that needs a token."""
    if ACCESS[rule.endpoint] is None:
        return ()
    others = ("not-your-orders",) if "user_id" in rule.arguments else ()
    return ("unauthorized", "insufficient-scope", *others, "keys-unavailable")
