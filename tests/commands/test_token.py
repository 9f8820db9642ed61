"""`token` makes tokens that the API accepts."""

import subprocess

import pytest

from orders_service.api.identity.claims import ClaimRules
from orders_service.api.identity.tokens import SharedSecret, Tokens
from orders_service.settings import Settings
from orders_service.token_secret import key_of
from rig.processes import ended
from tests.api.identity.kit import SECRET, WITH_SECRET


def made(*options: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return ended("token", *options, **(WITH_SECRET | environment))


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"AUTH_SECRET": SECRET[:33]},
        {"AUTH_SECRET_FORM": "jjwt", "AUTH_SECRET": SECRET[:32]},
        {"AUTH_ISSUER": "https://issuer.example", "AUTH_AUDIENCE": "orders", "AUTH_SCOPE_CLAIM": "scp"},
    ],
    ids=str,
)
def test_the_api_accepts_the_token(environment: dict[str, str]) -> None:
    settings = Settings.read(WITH_SECRET | environment)
    key = key_of(settings.auth_secret, settings.auth_secret_form)

    done = made("--user", "김철수", "--scope", "orders:read orders:admin", "--for", "90s", **environment)

    client, _ = Tokens(SharedSecret(key), ClaimRules.of(settings)).verify(done.stdout.strip())
    assert (client.name, client.scopes) == ("김철수", frozenset({"orders:read", "orders:admin"}))
    assert done.stdout.count("\n") == 1
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--user", "kim", "--scope", "everything"], "everything is not a scope. Scopes are orders:read"),
        (["--user", "kim", "--for", "1y"], "give a time such as 90s, 15m, 1h or 7d"),
        (["--user", "kim", "--for", "400d"], "at most 366d"),
        (["--user", ".."], "it must not be . or .."),
        ([], "Missing option '--user'"),
    ],
    ids=str,
)
def test_what_makes_no_token_is_refused(options: list[str], told: str) -> None:
    done = made(*options)

    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_without_the_secret_there_is_no_token() -> None:
    done = ended("token", "--user", "kim")

    assert (done.returncode, done.stdout) == (1, "")
    assert "AUTH_SECRET is not set, and only its owner can make tokens" in done.stderr
