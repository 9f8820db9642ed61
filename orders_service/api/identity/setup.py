"""Builds what AUTH_MODE asks for, and puts it into the Flask app."""

from dataclasses import dataclass
from pathlib import Path

from flask import Flask

from orders_service.api.identity import answers, issuer
from orders_service.api.identity.api_keys import ApiKeys, KeyFileError
from orders_service.api.identity.authentication import Authentication
from orders_service.api.identity.claims import ClaimRules
from orders_service.api.identity.key_sets import SET_BYTES_MAX, FetchedKeys, KeySet, KeySetError
from orders_service.api.identity.tokens import Keys, SharedSecret, Tokens
from orders_service.settings import Settings, SettingsError
from orders_service.token_secret import key_of

EXTENSION = "issuer_keys"


@dataclass(frozen=True)
class KeyFiles:
    """The keys in API_KEYS_FILE and AUTH_KEYS_FILE."""

    api_keys: ApiKeys
    public: KeySet | None

    @classmethod
    def read(cls, settings: Settings) -> "KeyFiles":
        """Read both files; raises `SettingsError` with every problem."""
        api_keys, public, problems = ApiKeys({}), None, []
        if settings.auth_mode != "jwt":
            return cls(api_keys, public)
        try:
            api_keys = ApiKeys.read(settings.api_keys_file)
        except (KeyFileError, OSError) as error:
            problems.append(f"API_KEYS_FILE cannot be used: {error}")
        if settings.auth_keys_file:
            try:
                with Path(settings.auth_keys_file).open("rb") as file:
                    public = KeySet.read(file.read(SET_BYTES_MAX + 1))
            except (KeySetError, OSError) as error:
                problems.append(f"AUTH_KEYS_FILE cannot be used: {error}")
        if problems:
            raise SettingsError(problems)
        return cls(api_keys, public)


def init_app(app: Flask, settings: Settings, files: KeyFiles | None = None) -> None:
    """Find out who sends each request of *app*. With AUTH_MODE=none nothing is added.

    With AUTH_JWKS_URL this waits for the first keys, for some seconds at most.
    """
    if settings.auth_mode != "jwt":
        return
    files = files or KeyFiles.read(settings)
    keys = _keys(settings, files)
    tokens = None if keys is None else Tokens(keys, ClaimRules.of(settings))
    authentication = Authentication(tokens, files.api_keys)
    if isinstance(keys, FetchedKeys):
        app.extensions[EXTENSION] = keys
        keys.start()
    app.before_request(authentication.authenticate)
    answers.init_app(app)


def issuer_keys(app: Flask) -> FetchedKeys | None:
    """The keys that are fetched from AUTH_JWKS_URL; None without it."""
    keys: FetchedKeys | None = app.extensions.get(EXTENSION)
    return keys


def _keys(settings: Settings, files: KeyFiles) -> Keys | None:
    if settings.auth_secret:
        return SharedSecret(key_of(settings.auth_secret, settings.auth_secret_form))
    if settings.auth_jwks_url:
        url = settings.auth_jwks_url
        return FetchedKeys(lambda: issuer.fetch(url)[0], source=url)
    return files.public
