"""Verifies tokens: JSON Web Tokens in their compact form (RFC 7515, 7519 and 8725)."""

import binascii
import re
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from typing import Any, Protocol

import jwt

from orders_service.api.identity.claims import ClaimRules, object_of
from orders_service.api.identity.errors import InvalidToken
from orders_service.api.identity.principal import Principal
from orders_service.token_secret import algorithms_of

FORM = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# Other types, such as a logout token, may be signed with the same key for another purpose (RFC 8725, 3.11).
TYPES = (None, "jwt", "at+jwt", "application/at+jwt")
KEY_ID_MAX = 255


class Keys(Protocol):
    """The keys that tokens may be signed with."""

    @property
    def algorithms(self) -> Sequence[str]:
        """Every `alg` that a token may have."""

    def find(self, key_id: str | None, algorithm: str) -> Any:
        """The key for tokens with this `kid` and this `alg`, which is one of *algorithms*.

        Raises `InvalidToken` if there is none, and `KeysUnavailable` if that is unknown.
        """


class SharedSecret:
    """The one key of AUTH_SECRET. It has no key id, so the `kid` of a token is not looked at."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self.algorithms: Sequence[str] = algorithms_of(key)

    def find(self, _: str | None, __: str) -> bytes:
        """The key."""
        return self._key


class Tokens:
    """Verifies the signature of tokens with *keys*, and their claims by *rules*."""

    def __init__(self, keys: Keys, rules: ClaimRules) -> None:
        self._keys = keys
        self._rules = rules
        self._algorithms = {name: jwt.get_algorithm_by_name(name) for name in keys.algorithms}

    def verify(self, token: str) -> tuple[Principal, float]:
        """The user of the token, and when it expires; raises `InvalidToken` or `KeysUnavailable`.

        The key is chosen by us: `jku`, `x5u`, `jwk` and `x5c` in the header are not looked at.
        """
        if not FORM.fullmatch(token):
            raise InvalidToken("This is not a token: it needs three parts in base64url.")
        header = object_of(_decoded(token.partition(".")[0]), "headers")
        algorithm, key_id = self._require_header(header)
        key = self._keys.find(key_id, algorithm)
        # `jwt.decode` would look at each character in Python: 0.4 ms for 8 KiB that anybody may send.
        signed, _, signature = token.rpartition(".")
        if not self._algorithms[algorithm].verify(signed.encode(), key, _decoded(signature)):
            raise InvalidToken("The signature of the token is not valid: it was made with another key.")
        return self._rules.read(_decoded(signed.partition(".")[2]), key_id=key_id or algorithm)

    def _require_header(self, header: dict[str, Any]) -> tuple[str, str | None]:
        algorithm, key_id, kind = header.get("alg"), header.get("kid"), header.get("typ")
        if not isinstance(algorithm, str) or algorithm not in self._keys.algorithms:
            raise InvalidToken(f"The alg of the token must be {' or '.join(self._keys.algorithms)}.")
        if "crit" in header or "b64" in header:
            raise InvalidToken("The token has a crit or b64 header, which this service does not understand.")
        if (kind.lower() if isinstance(kind, str) else kind) not in TYPES:
            raise InvalidToken("The typ of the token is not JWT.")
        if key_id is not None and not (isinstance(key_id, str) and len(key_id) <= KEY_ID_MAX):
            raise InvalidToken(f"The kid of the token is not a string of at most {KEY_ID_MAX} characters.")
        return algorithm, key_id


def _decoded(part: str) -> bytes:
    try:
        return urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error as error:
        raise InvalidToken("A part of the token is not base64url.") from error
