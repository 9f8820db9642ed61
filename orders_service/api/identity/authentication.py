"""Finds out who sent a request, by the token or the API key in its Authorization header."""

import math

import structlog
from flask import request

from orders_service.api.identity import principal
from orders_service.api.identity.access import ACCESS
from orders_service.api.identity.api_keys import BEGINNING, ApiKeys
from orders_service.api.identity.errors import InvalidToken, Unauthorized
from orders_service.api.identity.known import KnownHeaders
from orders_service.api.identity.principal import Principal
from orders_service.api.identity.tokens import Tokens

# A longer header is not looked at. It also bounds the field of the request (`api/serving/refusals.py`).
HEADER_BYTES_MAX = 8 * 1024

log = structlog.get_logger()


class Authentication:
    """Accepts *tokens*, if this deployment has keys for them, and *api_keys*."""

    def __init__(self, tokens: Tokens | None, api_keys: ApiKeys) -> None:
        self._tokens = tokens
        self._api_keys = api_keys
        self._known = KnownHeaders()

    def authenticate(self) -> None:
        """Set the client of the request, unless its address is open; raises `IdentityError`."""
        # The object itself: each use of Flask's proxy costs as much as a whole look-up.
        asked = request._get_current_object()  # type: ignore[attr-defined]
        rule = asked.url_rule
        if rule is None or ACCESS[rule.endpoint] is None:
            return
        header = asked.environ.get("HTTP_AUTHORIZATION")
        if header is None:
            raise Unauthorized("Send a token in the header Authorization: `Bearer`, a space, and the token.")
        client = self._known.get(header)
        principal.set_of_request(self.verify(header) if client is None else client)

    def verify(self, header: str) -> Principal:
        """The client that sent this Authorization header; raises `IdentityError`."""
        scheme, _, token = header.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthorized("The header Authorization must be `Bearer`, a space, and a token.")
        if len(header) > HEADER_BYTES_MAX:
            raise InvalidToken(f"The token is longer than {HEADER_BYTES_MAX} bytes.")
        token = token.strip(" ")
        if " " in token:
            raise InvalidToken(
                "The header Authorization must have one token after `Bearer`; it has several words."
            )
        try:
            client, expires = self._find(token)
        except InvalidToken as error:
            log.debug("token refused", reason=str(error))
            raise
        self._known.put(header, client, expires)
        return client

    def _find(self, token: str) -> tuple[Principal, float]:
        if token.startswith(BEGINNING):
            client = self._api_keys.find(token)
            if client is None:
                raise InvalidToken("This API key is not known.")
            return client, math.inf
        if self._tokens is None:
            raise InvalidToken("This service accepts API keys only.")
        return self._tokens.verify(token)
