"""Public keys that tokens are signed with, as a JWK set (RFC 7517)."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import jwt
import structlog

from orders_service.api.identity.errors import InvalidToken, KeysUnavailable

# The one algorithm of each kind of key, so that a token cannot choose another one.
ALGORITHMS = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
KEYS_MAX = 100
SET_BYTES_MAX = 256 * 1024
RSA_BITS = range(2048, 8193)  # A larger key takes longer to verify with than a request may cost.
REFRESH_SECONDS = 300
RETRY_SECONDS = 5  # While the issuer is down.
UNKNOWN_KEY_SECONDS = 30  # An unknown `kid` fetches the keys at most so often.
WAIT_SECONDS = 3  # The longest that a request waits for the keys.

log = structlog.get_logger()


class KeySetError(Exception):
    """The text is no JWK set, or has no key that can be used. The message says why."""


@dataclass(frozen=True)
class PublicKey:
    """A public key with its *key_id*, if it has one."""

    key_id: str | None
    algorithm: str
    key: Any


class KeySet:
    """Public keys. *find* chooses the one that a token names."""

    algorithms: Sequence[str] = tuple(ALGORITHMS.values())

    def __init__(self, keys: list[PublicKey]) -> None:
        self.keys = keys
        self._by_id = {(key.key_id, key.algorithm): key.key for key in keys if key.key_id is not None}

    @classmethod
    def read(cls, text: bytes) -> "KeySet":
        """The keys of a JWK set in JSON that this service can use; raises `KeySetError`."""
        if len(text) > SET_BYTES_MAX:
            raise KeySetError(f"it has more than {SET_BYTES_MAX} bytes")
        try:
            found = json.loads(text)["keys"]
        except (ValueError, RecursionError, KeyError, TypeError) as error:
            raise KeySetError("it is not a JWK set in JSON") from error
        if not isinstance(found, list) or len(found) > KEYS_MAX:
            raise KeySetError(f"its keys are not a list of at most {KEYS_MAX}")
        keys = [key for key in map(_public_key, found) if key is not None]
        if not keys:
            raise KeySetError("it has no key for RS256, ES256 or EdDSA")
        return cls(keys)

    def get(self, key_id: str | None, algorithm: str) -> Any | None:
        """The key with this id. A token without an id means the only key for its algorithm."""
        if key_id is not None:
            return self._by_id.get((key_id, algorithm))
        fitting = [key.key for key in self.keys if key.algorithm == algorithm]
        return fitting[0] if len(fitting) == 1 else None

    def find(self, key_id: str | None, algorithm: str) -> Any:
        """The key for a token; raises `InvalidToken` if there is none."""
        key = self.get(key_id, algorithm)
        if key is None:
            raise unknown_key(key_id)
        return key


class FetchedKeys:
    """The keys of an issuer, fetched by *fetch* every REFRESH_SECONDS in a thread of their own.

    While the issuer is down, the last keys stay valid. A token with an unknown `kid` makes the thread fetch
    at once, but not more often than every UNKNOWN_KEY_SECONDS; the requests with such tokens wait for it.
    """

    algorithms: Sequence[str] = KeySet.algorithms

    def __init__(
        self, fetch: Callable[[], bytes], *, source: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._fetch = fetch
        self._source = source
        self._clock = clock
        self._keys: KeySet | None = None
        self._fetched_at = clock()
        self._asked_at = float("-inf")
        self._wanted = threading.Event()
        self._answered = threading.Event()  # Set while no fetch is under way.
        self._mutex = threading.Lock()
        self._is_open = True

    def start(self) -> None:
        """Start the thread, and wait until it has the keys, at most WAIT_SECONDS."""
        self._answered.clear()
        threading.Thread(target=self._keep_fresh, name="issuer keys", daemon=True).start()
        self._answered.wait(WAIT_SECONDS)

    def stop(self) -> None:
        """Let the thread end."""
        self._is_open = False
        self._wanted.set()

    @property
    def age(self) -> float | None:
        """The seconds since the keys were fetched; None if they never were."""
        return None if self._keys is None else self._clock() - self._fetched_at

    def find(self, key_id: str | None, algorithm: str) -> Any:
        """The key for a token; raises `InvalidToken`, or `KeysUnavailable` if no keys were ever fetched."""
        key = self._keys and self._keys.get(key_id, algorithm)
        if key is None:
            self._ask()
            self._answered.wait(WAIT_SECONDS)
            key = self._keys and self._keys.get(key_id, algorithm)
        if self._keys is None:
            raise KeysUnavailable("The keys of the token's issuer are not available now.")
        if key is None:
            raise unknown_key(key_id)
        return key

    def _ask(self) -> None:
        """Begin a fetch, unless one is under way or the last such fetch is too young."""
        with self._mutex:
            if self._clock() - self._asked_at >= UNKNOWN_KEY_SECONDS:
                self._asked_at = self._clock()
                self._answered.clear()
                self._wanted.set()

    def _keep_fresh(self) -> None:
        while self._is_open:
            self._wanted.clear()
            pause = REFRESH_SECONDS if self._refresh() else RETRY_SECONDS
            with self._mutex:
                if not self._wanted.is_set():  # A request that asked meanwhile waits for the next fetch.
                    self._answered.set()
            self._wanted.wait(pause)

    def _refresh(self) -> bool:
        """Fetch the keys. True if that worked."""
        try:
            keys = KeySet.read(self._fetch())
        except Exception as error:  # Whatever the issuer answers, this thread must go on.
            age = self.age
            kept = "none were ever fetched" if age is None else f"those of {age:.0f} s ago stay valid"
            log.error("cannot fetch the issuer's keys", url=self._source, error=repr(error), keys=kept)
            return False
        self._keys, self._fetched_at = keys, self._clock()
        return True


def unknown_key(key_id: str | None) -> InvalidToken:
    if key_id is None:
        return InvalidToken("The token has no kid, and more than one key or none fits its alg.")
    return InvalidToken("The token is signed with a key that is not known here (kid).")


def _public_key(found: Any) -> PublicKey | None:
    """The key, or None if this service cannot use it: for encryption, secret, weak, or of another kind."""
    if not isinstance(found, dict) or found.get("use", "sig") != "sig" or "d" in found:
        return None
    kind, key_id = found.get("kty"), found.get("kid")
    algorithm = ALGORITHMS.get((str(kind), None if kind == "RSA" else str(found.get("crv"))))
    if algorithm is None or found.get("alg", algorithm) != algorithm:
        return None
    if not isinstance(key_id, str | None):
        return None
    try:
        key = jwt.PyJWK(found, algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    if kind == "RSA" and key.key_size not in RSA_BITS:
        return None
    return PublicKey(key_id, algorithm, key)
