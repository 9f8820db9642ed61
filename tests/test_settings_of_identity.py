"""The rules of AUTH_MODE: no deployment is open by mistake, and no key is weak or ambiguous."""

import base64
from pathlib import Path

import pytest

from orders_service.api.identity.setup import KeyFiles
from orders_service.settings import Settings, SettingsError
from orders_service.token_secret import algorithms_of, key_of
from tests.settings_kit import problems

SECRET = "a secret of at least thirty-two bytes"
JWT = {"AUTH_MODE": "jwt"}
WITH_URL = JWT | {"AUTH_JWKS_URL": "https://issuer.example/keys"}


@pytest.mark.parametrize(
    "host", ["0.0.0.0", "::", "10.0.0.7", "orders.example", "0", "127.1", "::ffff:10.0.0.7", "localhost.evil"]
)
def test_an_api_that_others_can_reach_must_say_who_may_use_it(host: str) -> None:
    (problem,) = problems({"API_HOST": host})

    assert problem.startswith(f"AUTH_MODE must be set with API_HOST={host}: jwt, or none if anybody")
    assert Settings.read({"API_HOST": host, "AUTH_MODE": "none"}).auth_mode == "none"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_on_this_machine_only_nothing_needs_to_be_said(host: str) -> None:
    assert Settings.read({"API_HOST": host}).auth_mode == "none"


@pytest.mark.parametrize("process", ["orders-relay", "stock-consumer", "migrate", "token"])
def test_a_process_that_serves_nobody_need_not_say_it(process: str) -> None:
    Settings.read({"API_HOST": "0.0.0.0"}, process=process)


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        (JWT, ["AUTH_MODE is jwt, which needs one of AUTH_SECRET, AUTH_JWKS_URL"]),
        (JWT | {"AUTH_KEYS_FILE": "/missing"}, ["AUTH_KEYS_FILE must be a file that can be read"]),
        ({"AUTH_SECRET": SECRET}, ["AUTH_SECRET has no effect without AUTH_MODE=jwt"]),
        ({"AUTH_KEYS_FILE": "/dev/null"}, ["AUTH_KEYS_FILE has no effect without AUTH_MODE=jwt"]),
        ({"API_KEYS_FILE": "/dev/null"}, ["API_KEYS_FILE has no effect without AUTH_MODE=jwt"]),
        (
            WITH_URL,
            ["AUTH_ISSUER must be set with AUTH_JWKS_URL", "AUTH_AUDIENCE must be set with AUTH_JWKS_URL"],
        ),
        (
            JWT | {"AUTH_SECRET": SECRET, "AUTH_KEYS_FILE": "/dev/null"},
            ["AUTH_SECRET must not be set together with AUTH_KEYS_FILE"],
        ),
        (
            WITH_URL | {"AUTH_SECRET": SECRET, "AUTH_ISSUER": "i", "AUTH_AUDIENCE": "a"},
            ["AUTH_SECRET must not be set together with AUTH_JWKS_URL"],
        ),
        (
            WITH_URL | {"AUTH_KEYS_FILE": "/dev/null", "AUTH_ISSUER": "i", "AUTH_AUDIENCE": "a"},
            ["AUTH_JWKS_URL must not be set together with AUTH_KEYS_FILE"],
        ),
        (
            JWT | {"AUTH_SECRET": "user_token"},
            ["AUTH_SECRET cannot be used with AUTH_SECRET_FORM=text: it makes a key of 10 bytes"],
        ),
        (
            JWT | {"AUTH_SECRET": "user_token", "AUTH_SECRET_FORM": "jjwt"},
            ["AUTH_SECRET cannot be used with AUTH_SECRET_FORM=jjwt: it makes a key of 16 bytes"],
        ),
        (
            JWT | {"AUTH_SECRET": "user_token_", "AUTH_SECRET_FORM": "base64"},
            ["AUTH_SECRET cannot be used with AUTH_SECRET_FORM=base64: it makes a key of 8 bytes"],
        ),
        (
            JWT | {"AUTH_SECRET": SECRET + "!", "AUTH_SECRET_FORM": "base64"},
            ["AUTH_SECRET cannot be used with AUTH_SECRET_FORM=base64: it is not base64"],
        ),
        (
            JWT | {"AUTH_SECRET": "-----BEGIN PUBLIC KEY-----MFkwEwYHKoZIzj0CAQ"},
            ["AUTH_SECRET cannot be used with AUTH_SECRET_FORM=text: it is a public key"],
        ),
    ],
    ids=str,
)
def test_keys_that_contradict_each_other_or_the_mode_are_refused(
    environment: dict[str, str], told: list[str]
) -> None:
    found = problems(environment)

    assert len(found) == len(told)
    for problem, beginning in zip(found, told, strict=True):
        assert problem.startswith(beginning)
        assert environment.get("AUTH_SECRET", "\0") not in problem


def test_a_deployment_may_say_none_and_keep_its_keys() -> None:
    assert Settings.read({"AUTH_MODE": "none", "AUTH_SECRET": SECRET}).auth_mode == "none"


def test_the_secret_is_not_shown() -> None:
    settings = Settings.read(JWT | {"AUTH_SECRET": SECRET})

    assert settings.show()["AUTH_SECRET"] == "***"
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    ("secret", "form", "key"),
    [
        (SECRET, "text", SECRET.encode()),
        (
            "한국어의 비밀은 더 많은 바이트를 갖는다",
            "text",
            "한국어의 비밀은 더 많은 바이트를 갖는다".encode(),
        ),
        (base64.b64encode(bytes(range(40))).decode(), "base64", bytes(range(40))),
        (base64.urlsafe_b64encode(b"\xff" * 40).decode().rstrip("="), "base64", b"\xff" * 40),
        (SECRET, "jjwt", base64.b64encode(SECRET.encode())),
    ],
)
def test_a_secret_has_a_form(secret: str, form: str, key: bytes) -> None:
    assert key_of(secret, form) == key


@pytest.mark.parametrize(
    ("length", "algorithms"),
    [(31, []), (32, ["HS256"]), (44, ["HS256"]), (48, ["HS256", "HS384"]), (76, ["HS256", "HS384", "HS512"])],
)
def test_the_length_of_the_key_decides_the_algorithms(length: int, algorithms: list[str]) -> None:
    assert algorithms_of(b"x" * length) == algorithms


@pytest.mark.parametrize("content", [b"", b"{}", b'{"keys":[]}', b"\xff", b"[" * 10_000])
def test_a_file_without_a_key_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "keys"
    file.write_bytes(content)
    settings = Settings.read(JWT | {"AUTH_KEYS_FILE": str(file)})

    with pytest.raises(SettingsError, match="AUTH_KEYS_FILE cannot be used: it"):
        KeyFiles.read(settings)
