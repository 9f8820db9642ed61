"""Tokens of the course's user-service, signed by the library that it uses (jjwt, in Java)."""

import base64
import os
import subprocess
import sys
from pathlib import Path

import jwt
import pytest

from lab.artifacts import files, locked
from lab.java import java
from orders_service.api.identity.claims import ClaimRules
from orders_service.api.identity.errors import InvalidToken
from orders_service.api.identity.tokens import SharedSecret, Tokens
from orders_service.settings import Settings
from orders_service.token_secret import key_of
from tests.settings_kit import problems

pytestmark = pytest.mark.real

SOURCES = Path(__file__).with_name("course_tokens")
JARS = {"Newer": ("jjwt-0.12", "kafka"), "Older": ("jjwt-0.9", "kafka")}
COMPILER = "org.eclipse.jdt.internal.compiler.batch.Main"
# Secrets whose base64 has 44, 48 and 76 bytes: the length decides which algorithm jjwt signs with.
SECRETS = {"HS256": "s" * 32, "HS384": "s" * 36, "HS512": "s" * 57}


class Signer:
    """Signs tokens with the course's lines of Java."""

    def __init__(self, classes: Path) -> None:
        self._classes = classes

    def run(self, main: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
        path = os.pathsep.join([str(self._classes), *map(str, jars(*JARS[main]))])
        command = [java(), "-XX:TieredStopAtLevel=1", "-cp", path, main, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def token(self, main: str, secret: str, seconds: int = 60) -> str:
        done = self.run(main, secret, "kim", str(seconds))
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def jars(*sections: str) -> list[Path]:
    return [path for section in sections for path in files(locked(section), sys.stderr)]


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    """Compiles both programs."""
    classes = tmp_path_factory.mktemp("classes")
    for main, sections in JARS.items():
        path = os.pathsep.join(map(str, jars(sections[0])))
        options = ["-source", "17", "-target", "17", "-nowarn", "-cp", path, "-d", str(classes)]
        command = [java(), "-cp", str(jars("compiler")[0]), COMPILER, *options, str(SOURCES / f"{main}.java")]
        subprocess.run(command, check=True, capture_output=True)
    return Signer(classes)


def accepting(secret: str) -> Tokens:
    settings = Settings.read({"AUTH_MODE": "jwt", "AUTH_SECRET": secret, "AUTH_SECRET_FORM": "jjwt"})
    key = key_of(settings.auth_secret, settings.auth_secret_form)
    return Tokens(SharedSecret(key), ClaimRules.of(settings))


@pytest.mark.parametrize("algorithm", SECRETS)
def test_a_token_of_the_newer_branches_is_accepted(signer: Signer, algorithm: str) -> None:
    secret = SECRETS[algorithm]
    token = signer.token("Newer", secret)

    client, _ = accepting(secret).verify(token)

    assert jwt.get_unverified_header(token) == {"alg": algorithm}
    assert (client.name, client.scopes) == ("kim", frozenset({"orders:read", "orders:write"}))


def test_a_token_that_has_expired_or_was_signed_with_another_secret_is_refused(signer: Signer) -> None:
    secret = SECRETS["HS256"]

    with pytest.raises(InvalidToken, match="has expired"):
        accepting(secret).verify(signer.token("Newer", secret, seconds=-3600))
    with pytest.raises(InvalidToken, match="signature"):
        accepting(secret).verify(signer.token("Newer", secret.upper()))


def test_a_secret_that_is_too_short_for_jjwt_is_too_short_for_us(signer: Signer) -> None:
    short = "s" * 21  # 28 bytes of base64.

    assert "WeakKeyException" in signer.run("Newer", short, "kim", "60").stderr
    (problem,) = problems({"AUTH_MODE": "jwt", "AUTH_SECRET": short, "AUTH_SECRET_FORM": "jjwt"})
    assert "it makes a key of 28 bytes, and needs 32 or more" in problem


@pytest.mark.filterwarnings("ignore:The HMAC key")
def test_the_secret_of_the_branch_of_2021_is_refused(signer: Signer) -> None:
    token = signer.token("Older", "user_token")
    six_bytes = base64.b64decode("usertoken"[:8])

    assert jwt.decode(token, six_bytes, ["HS512"])["sub"] == "kim"
    for form in ("text", "base64", "jjwt"):
        (problem,) = problems({"AUTH_MODE": "jwt", "AUTH_SECRET": "user_token", "AUTH_SECRET_FORM": form})
        assert problem.startswith(f"AUTH_SECRET cannot be used with AUTH_SECRET_FORM={form}")


def test_a_longer_secret_of_the_branch_of_2021_is_accepted_as_base64(signer: Signer) -> None:
    key = bytes(range(64))
    secret = base64.b64encode(key).decode()
    settings = Settings.read({"AUTH_MODE": "jwt", "AUTH_SECRET": secret, "AUTH_SECRET_FORM": "base64"})

    token = signer.token("Older", secret)

    assert key_of(secret, "base64") == key
    client, _ = Tokens(SharedSecret(key), ClaimRules.of(settings)).verify(token)
    assert client.name == "kim"
