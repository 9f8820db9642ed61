"""What doctor finds out about who may use the API."""

from collections.abc import Iterator
from typing import Any

import pytest

from orders_service.api.identity.issuer import fetch
from orders_service.commands.doctor import identity
from orders_service.commands.doctor.finding import Finding, Level, run_checks
from orders_service.settings import Settings
from tests.api.identity.issuers import Issuer, running_issuer
from tests.api.identity.kit import WITH_SECRET


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with running_issuer() as running:
        yield running


def found(**environment: str) -> dict[str, Finding]:
    return dict(run_checks(identity.IdentityChecks(Settings.read(environment)).checks))


@pytest.mark.parametrize(
    ("environment", "level", "seen"),
    [
        ({}, Level.FINE, "none: everybody on this machine"),
        (
            {"API_HOST": "::", "AUTH_MODE": "none"},
            Level.WARNING,
            "With `AUTH_MODE=none` anybody who can reach",
        ),
        (WITH_SECRET, Level.FINE, "AUTH_MODE=jwt: tokens by AUTH_SECRET (HS256, HS384, HS512)"),
        ({"AUTH_MODE": "jwt", "API_KEYS_FILE": "/dev/null"}, Level.FINE, "AUTH_MODE=jwt: 0 API keys"),
        ({"AUTH_MODE": "jwt", "AUTH_KEYS_FILE": "/dev/null"}, Level.WRONG, "AUTH_KEYS_FILE cannot be used"),
    ],
    ids=str,
)
def test_it_shows_the_mode(environment: dict[str, str], level: Level, seen: str) -> None:
    finding = found(**environment)["authentication"]

    assert finding.level == level
    assert finding.seen.startswith(seen)


def test_it_fetches_the_issuers_keys_and_compares_the_clocks(issuer: Issuer) -> None:
    told = found(**issuer.environment)

    assert told["issuer keys"].seen.startswith(f"1 keys from {issuer.url} in ")
    assert told["issuer clock"].seen == "within 1 s of the issuer's clock"


@pytest.mark.parametrize(("seconds", "seen"), [(100, "100 s ahead of"), (-100, "100 s behind")])
def test_a_clock_that_is_wrong_is_found(
    issuer: Issuer, monkeypatch: pytest.MonkeyPatch, seconds: int, seen: str
) -> None:
    keys, _ = fetch(issuer.url)
    answer = (keys, "Sun, 29 Nov 2026 12:00:00 GMT")
    monkeypatch.setattr("orders_service.api.identity.issuer.fetch", lambda _: answer)
    monkeypatch.setattr("time.time", lambda: 1_795_953_600 + seconds)

    clock = found(**issuer.environment)["issuer clock"]

    assert clock.level == Level.WRONG
    assert clock.seen.startswith(seen)


def test_an_issuer_that_is_down_is_found(issuer: Issuer) -> None:
    issuer.stop()

    told: dict[str, Any] = found(**issuer.environment)

    assert told["issuer keys"].level == Level.AWAY
    assert "503" in told["issuer keys"].seen
    assert told["issuer clock"].seen == "not checked: see issuer keys"
