"""Which tokens are accepted, and every way in which one may be false."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from orders_service.api.identity.claims import ClaimRules
from orders_service.api.identity.errors import InvalidToken
from orders_service.api.identity.key_sets import KeySet
from orders_service.api.identity.tokens import SharedSecret, Tokens
from orders_service.settings import Settings
from tests.api.identity.kit import (
    AUDIENCE,
    ISSUER,
    SECRET,
    WITH_SECRET,
    FromNow,
    claims,
    jwk,
    key_set,
    part64,
    private_key,
    raw_token,
    token,
)

KINDS = ("RS256", "ES256", "EdDSA")
HUGE = 10**400


def rules(**environment: str) -> ClaimRules:
    return ClaimRules.of(Settings.read(WITH_SECRET | environment))


def with_secret(secret: str = SECRET, **environment: str) -> Tokens:
    return Tokens(SharedSecret(secret.encode()), rules(**environment))


def with_public_keys(**environment: str) -> Tokens:
    keys = [jwk(private_key(kind), kind, kid=f"key of {kind}") for kind in KINDS]
    return Tokens(KeySet.read(key_set(*keys)), rules(**environment))


def signed(header: dict[str, Any], payload: Any, key: str = SECRET) -> str:
    """A token that is signed with HS256, whatever its header says."""
    text = f"{part64(header)}.{part64(payload)}"
    return f"{text}.{part64(hmac.digest(key.encode(), text.encode(), 'sha256'))}"


def refusal(tokens: Tokens, text: str) -> str:
    with pytest.raises(InvalidToken) as refused:
        tokens.verify(text)
    return str(refused.value)


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_a_token_names_its_user_and_what_the_user_may_do(algorithm: str) -> None:
    text = token(algorithm=algorithm, scope="orders:read orders:operate email", exp=9_000_000_000)

    client, expires = with_secret().verify(text)

    assert (client.name, client.scopes, expires) == ("kim", frozenset({"orders:read", "orders:operate"}), 9e9)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kid", [True, False])
def test_a_token_may_be_signed_with_a_private_key(kind: str, kid: bool) -> None:
    headers = {"kid": f"key of {kind}"} if kid else None

    client, _ = with_public_keys().verify(token(private_key(kind), kind, headers=headers))

    assert (client.name, client.key_id) == ("kim", f"key of {kind}" if kid else kind)


@pytest.mark.parametrize(
    ("claim", "scopes"),
    [
        ({}, "orders:read orders:write"),
        ({"scope": "orders:admin"}, "orders:admin"),
        ({"scope": ["orders:read", "other"]}, "orders:read"),
        ({"scope": ""}, ""),
        ({"scope": []}, ""),
        ({"scope": {"orders:admin": True}}, ""),
        ({"scope": 7}, ""),
        ({"scope": "ORDERS:ADMIN orders:readorders:write"}, ""),
        ({"scp": "orders:admin"}, "orders:read orders:write"),
    ],
    ids=str,
)
def test_the_scopes_are_in_a_claim(claim: dict[str, Any], scopes: str) -> None:
    client, _ = with_secret().verify(token(**claim))

    assert client.scopes == set(scopes.split())


def test_another_claim_may_hold_the_scopes_and_a_token_without_it_may_have_none() -> None:
    tokens = with_secret(AUTH_SCOPE_CLAIM="scp", AUTH_DEFAULT_SCOPES="orders:read")

    assert tokens.verify(token(scp=["orders:admin"]))[0].scopes == {"orders:admin"}
    assert tokens.verify(token(scope="orders:admin"))[0].scopes == {"orders:read"}


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"exp": None}, "never expires"),
        ({"exp": FromNow(-40)}, "has expired"),
        ({"exp": 0}, "has expired"),
        ({"nbf": FromNow(90)}, "nbf is in the future"),
        ({"iat": FromNow(90)}, "iat is in the future"),
        *(
            ({"exp": value}, "exp of the token is not a time")
            for value in (-1, "9999999999", True, [9_000_000_000], HUGE)
        ),
        *(({name: "soon"}, f"{name} of the token is not a time") for name in ("nbf", "iat")),
        *(({"sub": value}, "sub must be a string") for value in (None, 7, ["kim"], {"user": "kim"})),
        *(({"sub": value}, "cannot be a user id") for value in ("", " ", "k" * 256, "kim\n", "kim\0", "..")),
        ({"aud": "billing"}, "another audience"),
        ({"aud": ["billing", 7]}, "another audience"),
        ({"aud": ""}, "another audience"),
        ({"aud": []}, "another audience"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_token_whose_claims_are_false_is_refused(changed: dict[str, Any], detail: str) -> None:
    assert detail in refusal(with_secret(), token(**changed))


@pytest.mark.parametrize("exp", ["NaN", "Infinity", "-Infinity", "1e999", "1e15", "9" * 5000, "-0.5"])
def test_an_odd_number_is_no_time(exp: str) -> None:
    payload = f'{{"sub":"kim","exp":{exp}}}'.encode()

    assert "not" in refusal(with_secret(), signed({"alg": "HS256"}, payload))


@pytest.mark.parametrize("claim", ["exp", "nbf", "iat"])
@pytest.mark.parametrize("seconds", [-5, 5, 5.5])
def test_clocks_may_differ_a_little(claim: str, seconds: float) -> None:
    changed: dict[str, Any] = {claim: FromNow(seconds)}

    assert with_secret().verify(token(**changed))[0].name == "kim"


def test_the_difference_may_be_set_to_nothing() -> None:
    assert "has expired" in refusal(with_secret(AUTH_LEEWAY_SECONDS="0"), token(exp=FromNow(-5)))


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({}, ""),
        ({"aud": [AUDIENCE, "billing"]}, ""),
        ({"iss": "https://issuer.example.evil"}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"iss": [ISSUER]}, "another issuer"),
        ({"aud": "billing"}, "another audience"),
        ({"aud": None}, "another audience"),
        ({"aud": {AUDIENCE: 1}}, "another audience"),
    ],
    ids=str,
)
def test_issuer_and_audience_are_checked_when_they_are_set(changed: dict[str, Any], detail: str) -> None:
    tokens = with_secret(AUTH_ISSUER=ISSUER, AUTH_AUDIENCE=AUDIENCE)
    text = signed({"alg": "HS256"}, claims(**({"iss": ISSUER, "aud": AUDIENCE} | changed)))

    if detail:
        assert detail in refusal(tokens, text)
    else:
        assert tokens.verify(text)[0].name == "kim"


@pytest.mark.parametrize("alg", ["none", "None", "NONE", "", None, 7, "hs256", "RS256", "HS256 ", ["HS256"]])
@pytest.mark.parametrize("signature", [b"", b"x"])
def test_a_token_cannot_choose_how_it_is_checked(alg: object, signature: bytes) -> None:
    text = raw_token({"alg": alg}, claims(), signature)

    told = refusal(with_secret(), text)

    assert "The alg of the token must be" in told or "three parts" in told


def test_a_public_key_is_not_a_secret() -> None:
    public = private_key("RS256").public_key()
    pem = public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()
    der = json.dumps(jwk(private_key("RS256"), "RS256"))

    for secret in (pem, pem.strip(), der):
        text = signed({"alg": "HS256", "kid": "key of RS256"}, claims(), secret)
        assert "must be RS256 or ES256 or EdDSA" in refusal(with_public_keys(), text)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("other", KINDS)
def test_a_key_is_used_with_its_own_algorithm_only(kind: str, other: str) -> None:
    if kind == other:
        return
    text = token(private_key(other), other, headers={"kid": f"key of {kind}"})

    assert "not known here" in refusal(with_public_keys(), text)


@pytest.mark.parametrize(
    "kid",
    ["../../../../dev/null", "/etc/passwd", "http://127.0.0.1:1/key", "' OR 1=1 --", "x" * 300, 7, [], ""],
)
def test_a_kid_is_only_looked_up(kid: Any) -> None:
    header = {"alg": "RS256", "kid": kid}

    told = refusal(with_public_keys(), raw_token(header, claims()))

    assert "kid" in told


def test_a_key_that_the_token_brings_is_not_used() -> None:
    mine = private_key("RS256")
    evil = jwk(mine, "RS256", kid="evil")
    brought = {
        "kid": "evil",
        "jwk": evil,
        "jku": "http://127.0.0.1:1/",
        "x5u": "http://127.0.0.1:1/",
        "x5c": ["x"],
    }

    assert "not known here" in refusal(with_public_keys(), token(mine, "RS256", headers=brought))
    assert with_public_keys().verify(token(mine, "RS256", headers=brought | {"kid": "key of RS256"}))


@pytest.mark.parametrize(
    ("header", "detail"),
    [
        ({"crit": ["exp"]}, "crit"),
        ({"crit": []}, "crit"),
        ({"b64": False, "crit": ["b64"]}, "crit"),
        ({"b64": True}, "b64"),
        ({"typ": "logout+jwt"}, "typ"),
        ({"typ": 7}, "typ"),
    ],
    ids=str,
)
def test_a_header_that_changes_the_meaning_is_refused(header: dict[str, Any], detail: str) -> None:
    assert detail in refusal(with_secret(), signed({"alg": "HS256"} | header, claims()))


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt", None])
def test_the_usual_types_are_accepted(typ: str | None) -> None:
    assert with_secret().verify(signed({"alg": "HS256", "typ": typ}, claims()))[0].name == "kim"


GOOD = token(exp=FromNow(3600))


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        GOOD + "=",
        GOOD + "\n",
        GOOD.replace(".", ". "),
        GOOD.rpartition(".")[0],
        GOOD.rpartition(".")[0] + ".",
        GOOD[:-2],
        GOOD + "A",
        "٣" + GOOD[1:],
        GOOD.partition(".")[0] + "." + part64(claims(sub="lee")) + "." + GOOD.rpartition(".")[2],
        token("another secret, which has more than 32 bytes, too"),
        raw_token(b"[" * 6000, claims()),
        raw_token(b"{" + b'"a":{' * 1500, claims()),
        raw_token(b'{"alg":"HS256"', claims()),
        raw_token(b"\xff\xfe", claims()),
        raw_token([], claims()),
        raw_token(None, claims()),
        signed({"alg": "HS256"}, b"not JSON"),
        signed({"alg": "HS256"}, b"[" * 5000),
        signed({"alg": "HS256"}, b'"kim"'),
        signed({"alg": "HS256"}, b"\xff"),
        base64.b64encode(b"kim:secret").decode(),
        hashlib.sha256(b"x").hexdigest(),
        "x" * 8000,
    ],
    ids=lambda text: repr(text[:24]),
)
def test_what_is_no_token_or_was_changed_is_refused(text: str) -> None:
    assert refusal(with_secret(), text)


def test_a_short_secret_is_not_used_with_a_longer_hash() -> None:
    short = "x" * 40
    tokens = with_secret(short)

    assert tokens.verify(token(short, "HS256"))[0].name == "kim"
    longer = signed({"alg": "HS512"}, claims(), short)
    assert "must be HS256" in refusal(tokens, longer)
