"""The claims of a verified token: is it meant for us, is it valid now, and what may its user do?"""

import json
import time
from dataclasses import dataclass
from typing import Any, NoReturn

from orders_service.api.errors import InvalidFields
from orders_service.api.identity.errors import InvalidToken
from orders_service.api.identity.principal import Principal
from orders_service.api.requests import require_user_id
from orders_service.contract.scopes import SCOPES
from orders_service.settings import Settings

# Seconds since 1970. A larger number, also an infinite one, is no time: it is refused before it is compared.
TIME_MAX = 1e11


@dataclass(frozen=True)
class ClaimRules:
    """The rules for the claims of a token."""

    issuer: str
    audience: str
    scope_claim: str
    default_scopes: frozenset[str]
    leeway: int

    @classmethod
    def of(cls, settings: Settings) -> "ClaimRules":
        return cls(
            issuer=settings.auth_issuer,
            audience=settings.auth_audience,
            scope_claim=settings.auth_scope_claim,
            default_scopes=frozenset(settings.auth_default_scopes.split()),
            leeway=settings.auth_leeway_seconds,
        )

    def read(self, payload: bytes, *, key_id: str) -> tuple[Principal, float]:
        """The client that the claims in *payload* name, and when its token expires; raises `InvalidToken`."""
        claims = object_of(payload, "claims")
        expires = self._require_now(claims)
        self._require_parties(claims)
        return Principal(_user_of(claims), self._scopes_of(claims), key_id, expires + self.leeway), expires

    def _require_now(self, claims: dict[str, Any]) -> float:
        now, expires = time.time(), _time_of(claims, "exp")
        if expires is None:
            raise InvalidToken("The token never expires: it has no exp.")
        if expires + self.leeway <= now:
            raise InvalidToken("The token has expired. Get a new one.")
        for name in ("nbf", "iat"):
            if (_time_of(claims, name) or 0) > now + self.leeway:
                raise InvalidToken(f"The token is not valid yet: its {name} is in the future.")
        return expires

    def _require_parties(self, claims: dict[str, Any]) -> None:
        if self.issuer and claims.get("iss") != self.issuer:
            raise InvalidToken("The token is from another issuer.")
        audience = claims.get("aud")
        # A token that names its audience is for nobody else (RFC 7519, 4.1.3).
        is_for_us = self.audience and self.audience in _texts(audience)
        if (self.audience or audience is not None) and not is_for_us:
            raise InvalidToken("The token is for another audience.")

    def _scopes_of(self, claims: dict[str, Any]) -> frozenset[str]:
        found = claims.get(self.scope_claim)
        if found is None:
            return self.default_scopes
        names = found.split() if isinstance(found, str) else _texts(found)
        return frozenset(names) & SCOPES.keys()


def object_of(text: bytes, name: str) -> dict[str, Any]:
    """The JSON object in a part of a token; raises `InvalidToken`."""
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidToken(f"The {name} of the token are not JSON.") from error
    if not isinstance(value, dict):
        raise InvalidToken(f"The {name} of the token are not a JSON object.")
    return value


def _user_of(claims: dict[str, Any]) -> str:
    user = claims.get("sub")
    if not isinstance(user, str):
        raise InvalidToken("The token has no user: its sub must be a string.")
    try:
        return require_user_id(user)
    except InvalidFields as error:
        raise InvalidToken("The sub of the token cannot be a user id.") from error


def _time_of(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if type(value) not in (int, float) or not 0 <= value < TIME_MAX:
        raise InvalidToken(f"The {name} of the token is not a time.")
    return float(value)


def _texts(value: Any) -> list[str]:
    """The strings of a claim that is a string or a list."""
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, str)]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
