"""Makes an access token with AUTH_SECRET. It loads no Flask: `first-order` starts quickly."""

import time
from typing import Any

import click
import jwt

from orders_service.settings import Settings
from orders_service.token_secret import algorithms_of, key_of

NO_SECRET = (
    "AUTH_SECRET is not set, and only its owner can make tokens with it."
    " With AUTH_JWKS_URL or AUTH_KEYS_FILE, get a token from their issuer"
)


def new_token(settings: Settings, user: str, *, scope: str, seconds: int) -> str:
    """A token that an API with the same settings accepts; raises `ClickException` without AUTH_SECRET."""
    if not settings.auth_secret:
        raise click.ClickException(NO_SECRET)
    now = int(time.time())
    claims: dict[str, Any] = {"sub": user, "iat": now, "exp": now + seconds, settings.auth_scope_claim: scope}
    if settings.auth_issuer:
        claims["iss"] = settings.auth_issuer
    if settings.auth_audience:
        claims["aud"] = settings.auth_audience
    key = key_of(settings.auth_secret, settings.auth_secret_form)
    return jwt.encode(claims, key, algorithms_of(key)[-1])
