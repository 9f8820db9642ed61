"""The keys of an issuer: which are used, how they are fetched, and what happens while it is down."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from orders_service.api.identity import issuer as http
from orders_service.api.identity import key_sets
from orders_service.api.identity.errors import InvalidToken, KeysUnavailable
from orders_service.api.identity.key_sets import SET_BYTES_MAX, FetchedKeys, KeySet, KeySetError
from rig.waiting import await_true
from tests.api.identity.issuers import Issuer, running_issuer
from tests.api.identity.kit import Client, bearer, jwk, key_set, private_key
from tests.api.kit import Api, assert_problem

EC = jwk(private_key("ES256"), "ES256", kid="k")
SMALL = rsa.generate_private_key(public_exponent=65537, key_size=1024)
SHARED = {"kty": "oct", "k": "c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0", "kid": "k", "alg": "HS256"}


KEYS_LEFT_OUT = [
    *("shared secret", "encryption", "another hash", "HS256", "another curve"),
    *("curves", "kid", "not on the curve"),
    *("private", "small", "no exponent", "odd kind", "empty", "no object"),
]


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(issuer: Issuer, clock: Clock) -> Iterator[FetchedKeys]:
    """The keys of *issuer*, fetched once."""
    fetched = FetchedKeys(lambda: http.fetch(issuer.url)[0], source=issuer.url, clock=clock)
    fetched.start()
    yield fetched
    fetched.stop()


@pytest.mark.parametrize("kind", ["RS256", "ES256", "EdDSA"])
def test_a_public_key_is_used_with_the_algorithm_of_its_kind(kind: str) -> None:
    members = jwk(private_key(kind), kind, kid="k")
    del members["alg"], members["use"]

    (key,) = KeySet.read(key_set(members)).keys

    assert (key.key_id, key.algorithm) == ("k", kind)


@pytest.mark.parametrize(
    "key",
    [
        SHARED,
        EC | {"use": "enc"},
        EC | {"alg": "ES384"},
        EC | {"alg": "HS256"},
        EC | {"crv": "P-384"},
        EC | {"crv": ["P-256"]},
        EC | {"kid": 7},
        EC | {"x": "AAAA"},
        EC | {"d": "AAAA"},
        jwk(SMALL, "RS256", kid="small"),
        {"kty": "RSA", "n": "AQAB"},
        {"kty": ["EC"]},
        {},
        7,
    ],
    ids=KEYS_LEFT_OUT,
)
def test_a_key_that_is_secret_weak_or_for_another_purpose_is_left_out(key: Any) -> None:
    assert len(KeySet.read(key_set(EC | {"kid": "good"}, key)).keys) == 1
    with pytest.raises(KeySetError):
        KeySet.read(key_set(key))


@pytest.mark.parametrize(
    "text",
    [
        *(b"", b"[]", b"{}", b'{"keys":{}}', b'{"keys":[]}', b"\xff", b"[" * 9999, key_set(*[EC] * 101)),
        key_set(EC) + b" " * SET_BYTES_MAX,
    ],
)
def test_what_is_no_key_set_is_refused(text: bytes) -> None:
    with pytest.raises(KeySetError):
        KeySet.read(text)


def test_a_token_without_a_kid_means_the_only_key() -> None:
    two = KeySet.read(key_set(EC, jwk(private_key("RS256"), "RS256"), EC | {"kid": "other"}))

    assert two.find(None, "RS256")
    with pytest.raises(InvalidToken, match="no kid, and more than one key"):
        two.find(None, "ES256")


def test_an_unknown_kid_fetches_the_keys_once_in_30_seconds(
    keys: FetchedKeys, issuer: Issuer, clock: Clock
) -> None:
    assert issuer.asked == 1
    issuer.rotate()
    assert keys.find("key-1", "ES256")
    issuer.rotate()

    for number in range(20):
        with pytest.raises(InvalidToken):
            keys.find(f"../{number}", "ES256")
    with pytest.raises(InvalidToken):
        keys.find("key-2", "ES256")
    assert issuer.asked == 2
    clock.now += 30

    assert keys.find("key-2", "ES256")
    assert issuer.asked == 3


def test_every_request_with_a_new_key_waits_for_the_fetch(keys: FetchedKeys, issuer: Issuer) -> None:
    issuer.rotate()

    with ThreadPoolExecutor(20) as pool:
        found = list(pool.map(lambda _: keys.find("key-1", "ES256"), range(100)))

    assert len(found) == 100
    assert issuer.asked == 2


@pytest.mark.parametrize("fault", ["down", "nonsense", "empty", "endless"])
def test_the_old_keys_stay_valid_while_the_issuer_is_down(
    keys: FetchedKeys, issuer: Issuer, clock: Clock, fault: str
) -> None:
    issuer.down = fault == "down"
    issuer.body = {"nonsense": b"<html>", "empty": key_set(), "endless": b"x" * (SET_BYTES_MAX + 1)}.get(
        fault
    )
    clock.now += 3600

    with pytest.raises(InvalidToken):
        keys.find("key-9", "ES256")

    assert issuer.asked == 2
    assert keys.find("key-0", "ES256")
    assert keys.age == 3600


def test_keys_that_were_never_fetched_are_asked_for_again_and_again(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_sets, "RETRY_SECONDS", 0.01)
    issuer.down = True
    keys = FetchedKeys(lambda: http.fetch(issuer.url)[0], source=issuer.url)
    keys.start()

    with pytest.raises(KeysUnavailable):
        keys.find("key-0", "ES256")
    issuer.down = False
    await_true(lambda: keys.age is not None, "the keys are fetched")

    assert keys.find("key-0", "ES256")
    keys.stop()


def test_a_redirect_is_not_followed(issuer: Issuer) -> None:
    with pytest.raises(OSError, match="302"):
        http.fetch(issuer.url.replace("/keys", "/elsewhere"))


def test_a_port_that_nobody_listens_on_is_an_error(closed_port: int) -> None:
    with pytest.raises(OSError, match="refused"):
        http.fetch(f"http://127.0.0.1:{closed_port}/keys")


def test_an_api_whose_issuer_is_down_from_the_beginning_says_so(api: Api, issuer: Issuer) -> None:
    issuer.down = True

    with Api.on(api.databases, **issuer.environment) as waiting:
        ready = waiting.get("/readyz")
        order = Client(waiting, bearer(issuer.token())).place()
        nonsense = Client(waiting, bearer("nonsense")).place()

    assert_problem(ready, 503, "not-ready")
    assert (ready.json or {})["checks"]["issuerKeys"] == "down"
    assert_problem(order, 503, "keys-unavailable")
    assert int(order.headers["Retry-After"]) > 0
    assert_problem(nonsense, 401, "unauthorized")


def test_the_age_of_the_keys_is_a_metric(api: Api, issuer: Issuer) -> None:
    with Api.on(api.databases, **issuer.environment) as own:
        operator = Client(own, bearer(issuer.token(scope="orders:operate")))
        text = operator.get("/metrics").text
        ready = own.get("/readyz")

    assert "\norders_auth_keys_age_seconds 0." in text
    assert (ready.json or {})["checks"]["issuerKeys"] == "ok"
