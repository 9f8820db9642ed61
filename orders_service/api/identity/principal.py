"""The client of a request: a user with a token, or a service with an API key."""

import math
from dataclasses import dataclass
from typing import Any

from flask import g, has_request_context

from orders_service.contract.scopes import ADMIN


@dataclass(frozen=True, slots=True)
class Principal:
    """A client that has proved its *name*: the `sub` of its token, or the name of its API key."""

    name: str
    scopes: frozenset[str]
    key_id: str  # Which key signed its token, or which API key it sent. For the log.
    expires: float = math.inf  # When its token does, in seconds since 1970.

    def may_use(self, user_id: str) -> bool:
        """Whether it may read and change the orders of this user."""
        return user_id == self.name or ADMIN in self.scopes


def user_of_request() -> str:
    """The name of the user who calls; empty without a token, and for a client that acts for every user."""
    principal = of_request()
    return "" if principal is None or ADMIN in principal.scopes else principal.name


def of_request() -> Principal | None:
    """The client of the current request; None if it needs no token, as all do with AUTH_MODE=none."""
    # The object itself: Flask's proxy would take a microsecond, half of what a request may cost here.
    principal: Principal | None = g._get_current_object().get("principal")
    return principal


def set_of_request(principal: Principal) -> None:
    """Set the client of the current request."""
    g._get_current_object().principal = principal


def add_to_line(_: object, __: str, line: Any) -> Any:
    """Add the client to a log line that is written while its request is served: a processor of structlog."""
    if has_request_context() and (client := of_request()) is not None:
        line |= {"user": client.name, "kid": client.key_id}
    return line
