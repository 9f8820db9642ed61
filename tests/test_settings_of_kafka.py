"""What Kafka is shown belongs together: a setting that is missing or of no use is named."""

from pathlib import Path

import pytest

from orders_service.settings import Settings
from tests.certificates import Authority
from tests.settings_kit import problems

KAFKA_CONTRADICTIONS: list[tuple[dict[str, str], list[str]]] = [
    (
        {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"},
        [
            "KAFKA_USERNAME must be set with KAFKA_SECURITY_PROTOCOL=SASL_SSL",
            "KAFKA_PASSWORD must be set with KAFKA_SECURITY_PROTOCOL=SASL_SSL",
        ],
    ),
    (
        {"KAFKA_USERNAME": "u", "KAFKA_PASSWORD": "s3cr3t", "KAFKA_CA_FILE": "ca.pem"},
        [
            "KAFKA_USERNAME has no effect with KAFKA_SECURITY_PROTOCOL=PLAINTEXT",
            "KAFKA_PASSWORD has no effect with KAFKA_SECURITY_PROTOCOL=PLAINTEXT",
            "KAFKA_CA_FILE has no effect with KAFKA_SECURITY_PROTOCOL=PLAINTEXT",
        ],
    ),
    (
        {
            "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "KAFKA_USERNAME": "u",
            "KAFKA_KEY_FILE": "ca.key",
        },
        [
            "KAFKA_PASSWORD must be set with KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT",
            "KAFKA_KEY_FILE has no effect with KAFKA_SECURITY_PROTOCOL=SASL_PLAINTEXT",
            "KAFKA_CERTIFICATE_FILE must be set together with KAFKA_KEY_FILE",
        ],
    ),
    (
        {"KAFKA_SECURITY_PROTOCOL": "SSL", "KAFKA_CERTIFICATE_FILE": "ca.pem"},
        ["KAFKA_KEY_FILE must be set together with KAFKA_CERTIFICATE_FILE"],
    ),
    (
        {
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_CERTIFICATE_FILE": "ca.pem",
            "KAFKA_KEY_FILE": "other.key",
        },
        ["KAFKA_KEY_FILE is not the key of KAFKA_CERTIFICATE_FILE: [X509: KEY_VALUES_MISMATCH]"],
    ),
]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a certificate, its key, and the key of another."""
    folder = tmp_path_factory.mktemp("certificates")
    Authority(folder)
    Authority(folder, "other")
    return folder


@pytest.mark.parametrize(("environment", "told"), KAFKA_CONTRADICTIONS)
def test_what_kafka_cannot_be_shown_is_told_at_once(
    environment: dict[str, str], told: list[str], certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(certificates)

    found = problems(environment)

    assert len(found) == len(told)
    assert all(one.startswith(other) for one, other in zip(found, told, strict=True)), found
    assert "s3cr3t" not in "".join(found)


@pytest.mark.parametrize(
    "environment",
    [
        {"KAFKA_SECURITY_PROTOCOL": "SSL"},
        {
            "KAFKA_SECURITY_PROTOCOL": "SSL",
            "KAFKA_CA_FILE": "ca.pem",
            "KAFKA_CERTIFICATE_FILE": "ca.pem",
            "KAFKA_KEY_FILE": "ca.key",
        },
        {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_USERNAME": "u", "KAFKA_PASSWORD": "p"},
        {
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": "PLAIN",
            "KAFKA_USERNAME": "u",
            "KAFKA_PASSWORD": "p",
            "KAFKA_CA_FILE": "ca.pem",
        },
    ],
)
def test_what_kafka_can_be_shown_is_taken(
    environment: dict[str, str], certificates: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(certificates)

    settings = Settings.read(environment)

    assert {name: getattr(settings, name.lower()) for name in environment} == environment


def test_the_password_for_kafka_may_lie_in_a_file_and_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("s3cr3t\n")
    environment = {
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_USERNAME": "orders",
        "KAFKA_PASSWORD_FILE": str(file),
    }

    settings = Settings.read(environment)

    assert settings.kafka_password == "s3cr3t"
    assert "s3cr3t" not in repr(settings) + str(settings.show())
