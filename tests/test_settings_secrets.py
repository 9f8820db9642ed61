"""A secret may lie in a file, and is not shown."""

import sys
from pathlib import Path

import pytest

from orders_service.cli import main
from orders_service.settings import FIELDS, Settings, SettingsError
from tests.settings_kit import CATALOG_URL, ORDERS_URL, problems


@pytest.mark.parametrize("around", ["", "\n", "  \r\n"])
def test_a_secret_may_lie_in_a_file(tmp_path: Path, around: str) -> None:
    file = tmp_path / "secret"
    file.write_text(around + ORDERS_URL + around)

    settings = Settings.read({"ORDERS_DATABASE_URL_FILE": str(file)})

    assert settings.orders_database_url == ORDERS_URL


def test_only_a_secret_may_lie_in_a_file(tmp_path: Path) -> None:
    assert Settings.read({"API_PORT_FILE": str(tmp_path / "missing")}) == Settings.read({})


def test_a_secret_that_is_given_twice_is_refused(tmp_path: Path) -> None:
    told = problems({"ORDERS_DATABASE_URL": ORDERS_URL, "ORDERS_DATABASE_URL_FILE": str(tmp_path / "x")})

    assert told == ["ORDERS_DATABASE_URL and ORDERS_DATABASE_URL_FILE are both set; keep one"]


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff\xfe", b"nonsense", b"a\x00b"], ids=repr)
def test_a_file_that_holds_no_url_is_refused(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "secret"
    if content is not None:
        file.write_bytes(content)

    (problem,) = problems({"ORDERS_DATABASE_URL_FILE": str(file)})

    assert problem.startswith("ORDERS_DATABASE_URL")


@pytest.mark.parametrize(
    "path", ["/", "/nowhere/x", "a\0b", "x" * 5000], ids=["folder", "missing", "NUL", "long"]
)
def test_a_file_that_cannot_be_read_is_named(path: str) -> None:
    (problem,) = problems({"CATALOG_DATABASE_URL_FILE": path})

    assert problem.startswith("CATALOG_DATABASE_URL_FILE names a file that cannot be read: ")


def test_a_password_is_not_shown() -> None:
    settings = Settings.read({"ORDERS_DATABASE_URL": ORDERS_URL, "CATALOG_DATABASE_URL": CATALOG_URL})

    assert settings.show()["ORDERS_DATABASE_URL"] == ORDERS_URL.replace("orders:s3cr3t", "***")
    assert "s3cr3t" not in repr(settings)


def test_config_show_hides_passwords_and_marks_what_is_set(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "secret"
    file.write_text(CATALOG_URL)
    for name, value in {"ORDERS_DATABASE_URL": ORDERS_URL, "API_PORT": "8001", "LOG_LEVEL": ""}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("CATALOG_DATABASE_URL_FILE", str(file))
    monkeypatch.setattr(sys, "argv", ["orders-service", "config", "show"])

    with pytest.raises(SystemExit) as ending:
        main()

    out = capsys.readouterr().out
    assert ending.value.code == 0
    assert "s3cr3t" not in out
    lines = [line.split("=")[0] for line in out.splitlines()]
    assert [line[2:] for line in lines] == [name.upper() for name in FIELDS]
    assert {line[2:] for line in lines if line.startswith("*")} == {
        "ORDERS_DATABASE_URL",
        "CATALOG_DATABASE_URL",
        "API_PORT",
    }


def test_connect_is_named_without_a_password() -> None:
    with pytest.raises(SettingsError, match="CONNECT_URL must be an http:// or https:// URL, without user"):
        Settings.read({"CONNECT_URL": "http://admin:secret@127.0.0.1:8083"})
