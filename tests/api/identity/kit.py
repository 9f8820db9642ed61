"""Tokens and keys for the tests, and an API that asks for them."""

import base64
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from werkzeug.test import TestResponse

from tests.api.kit import ORDER, Api, assert_problem

SECRET = "a shared secret of 64 bytes, which is enough for HS256 to HS512.."
ISSUER, AUDIENCE = "https://issuer.example", "orders"
WITH_SECRET = {"AUTH_MODE": "jwt", "AUTH_SECRET": SECRET}


@dataclass(frozen=True)
class FromNow:
    """A time, in seconds from the moment when a token with it is made."""

    seconds: float


def claims(**changed: Any) -> dict[str, Any]:
    """The claims of a token of kim's that is valid for a minute. None leaves a claim out."""
    now = int(time.time())
    return {
        name: now + value.seconds if isinstance(value, FromNow) else value
        for name, value in ({"sub": "kim", "iat": now, "exp": now + 60} | changed).items()
        if value is not None
    }


def token(key: Any = SECRET, algorithm: str = "HS256", *, headers: Any = None, **changed: Any) -> str:
    """A signed token with these claims."""
    return jwt.encode(claims(**changed), key, algorithm, headers=headers)


def raw_token(header: Any, payload: Any, signature: bytes = b"x") -> str:
    """A token of these parts, which may be nonsense. Bytes are taken as they are."""
    return ".".join(part64(part) for part in (header, payload, signature))


def part64(part: Any) -> str:
    """A part of a token."""
    content = part if isinstance(part, bytes) else json.dumps(part).encode()
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def bearer(text: str) -> dict[str, str]:
    """The header with a token."""
    return {"Authorization": f"Bearer {text}"}


@cache
def private_key(kind: str) -> Any:
    """A private key of this kind: the same one for all tests, because RSA takes time."""
    if kind == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return (
        ec.generate_private_key(ec.SECP256R1()) if kind == "ES256" else ed25519.Ed25519PrivateKey.generate()
    )


def jwk(key: Any, kind: str, **members: Any) -> dict[str, Any]:
    """The public half of a private key, as a JWK."""
    maker = jwt.get_algorithm_by_name(kind)
    return maker.to_jwk(key.public_key(), as_dict=True) | {"alg": kind, "use": "sig"} | members


def key_set(*keys: Mapping[str, Any]) -> bytes:
    """A JWK set."""
    return json.dumps({"keys": keys}).encode()


@dataclass
class Client:
    """Sends requests to an API with the same headers."""

    api: Api
    headers: dict[str, str] = field(default_factory=dict)

    def get(self, path: str = "/order-service/kim/orders") -> TestResponse:
        return self.api.client.get(path, headers=self.headers)

    def place(self, user: str = "kim") -> TestResponse:
        return self.api.client.post(f"/order-service/{user}/orders", json=ORDER, headers=self.headers)


def assert_unauthorized(response: TestResponse, *, detail: str = "", sent: bool = True) -> None:
    """The answer is 401, with the challenge of RFC 6750, and *detail* in its text."""
    assert_problem(response, 401, "unauthorized")
    assert detail in (response.json or {})["detail"]
    error = ', error="invalid_token"' if sent else ""
    assert response.headers["WWW-Authenticate"] == f'Bearer realm="orders"{error}'
