"""The checks of who may use the API, and of the keys that tokens are checked with."""

import pkgutil
import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from orders_service.api.identity import issuer
from orders_service.api.identity.key_sets import KeySet, KeySetError
from orders_service.api_settings import OPEN_TO_ALL
from orders_service.commands.doctor.finding import Check, Finding, away, fine, warning, wrong
from orders_service.setting_rules import is_loopback
from orders_service.settings import Settings, SettingsError
from orders_service.token_secret import algorithms_of, key_of

DAY = 86_400
KEY_FILES = "orders_service.api.identity.setup:KeyFiles"  # Loaded when it is used, because it loads Flask.


class IdentityChecks:
    """Checks who may use the API, and compares its keys and our clock with the tokens' issuer."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._date = ""  # The Date header of the issuer's answer.

    @property
    def checks(self) -> Iterator[Check]:
        yield Check("authentication", self._mode)
        if self._settings.auth_mode == "jwt" and self._settings.auth_jwks_url:
            yield Check("issuer keys", self._issuer_keys, gate=True)
            yield Check("issuer clock", self._issuer_clock)

    def _mode(self) -> Finding:
        settings = self._settings
        if settings.auth_mode == "none":
            if is_loopback(settings.api_host):
                return fine("none: everybody on this machine may use the API (AUTH_MODE=none)")
            do = "set AUTH_MODE=jwt, or put a gateway in front that checks users"
            return warning(OPEN_TO_ALL, do)
        try:
            files = pkgutil.resolve_name(KEY_FILES).read(settings)
        except SettingsError as error:
            return wrong(str(error), "correct the file")
        accepted = [f"{len(files.api_keys)} API keys"] if settings.api_keys_file else []
        if settings.auth_secret:
            key = key_of(settings.auth_secret, settings.auth_secret_form)
            accepted.insert(0, f"tokens by AUTH_SECRET ({', '.join(algorithms_of(key))})")
        if files.public:
            days = (time.time() - Path(settings.auth_keys_file).stat().st_mtime) / DAY
            accepted.insert(0, f"tokens by {len(files.public.keys)} keys, whose file is {days:.0f} days old")
        if settings.auth_jwks_url:
            accepted.insert(0, f"tokens of {settings.auth_issuer}")
        return fine(f"AUTH_MODE=jwt: {'; '.join(accepted)}")

    def _issuer_keys(self) -> Finding:
        url, began = self._settings.auth_jwks_url, time.monotonic()
        try:
            text, self._date = issuer.fetch(url)
            keys = KeySet.read(text).keys
        except OSError as error:
            return away(
                f"{url}: {error}; the API keeps the keys that it has",
                "check the address and the network; /metrics has their age (orders_auth_keys_age_seconds)",
            )
        except KeySetError as error:
            return wrong(f"{url}: {error}", "check AUTH_JWKS_URL")
        seen = f"{len(keys)} keys from {url} in {(time.monotonic() - began) * 1000:.0f} ms"
        if url.startswith("http://") and not is_loopback(urlsplit(url).hostname or ""):
            return warning(
                f"{seen}, without TLS", "use https://: a person who can change the answer can sign tokens"
            )
        return fine(seen)

    def _issuer_clock(self) -> Finding:
        leeway = self._settings.auth_leeway_seconds
        try:
            apart = time.time() - parsedate_to_datetime(self._date).timestamp()
        except (TypeError, ValueError):
            return fine("not compared: the issuer's answer has no Date header")
        if abs(apart) > leeway:
            fault = (
                "new tokens seem to be from the future" if apart < 0 else "tokens seem to expire too early"
            )
            seen = f"{abs(apart):.0f} s {'behind' if apart < 0 else 'ahead of'} the issuer's clock: {fault}"
            return wrong(seen, "synchronize the clocks (NTP), or raise AUTH_LEEWAY_SECONDS")
        return fine(f"within {max(1, abs(apart)):.0f} s of the issuer's clock")
