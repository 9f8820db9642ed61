"""A wheel, installed elsewhere, has all that the service reads."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from orders_service.commands.connectors.rest import FOLDER, PLACEHOLDER
from rig.processes import ended

ROOT = Path(__file__).resolve().parents[1]
PIP = [sys.executable, "-m", "pip", "--disable-pip-version-check"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the service, installed from its wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT)]
    subprocess.run([*PIP, *build], check=True, timeout=120)
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "installed")
    return folder / "installed"


def run(installed: Path, folder: Path, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command of the installed service in another folder. Its dependencies are those of the tests."""
    return ended(*words, cwd=str(folder), PYTHONPATH=str(installed), **variables)


def test_the_connectors_are_in_it(installed: Path, tmp_path: Path) -> None:
    names = {path.stem for path in FOLDER.glob("*.json")}
    texts = "".join(path.read_text() for path in FOLDER.glob("*.json"))
    variables = dict.fromkeys(PLACEHOLDER.findall(texts), "x")

    unknown = run(installed, tmp_path, "connectors", "apply", "none")
    known = run(
        installed,
        tmp_path,
        *("connectors", "apply", *names),
        **variables | {"EVENTS_VIA": "cdc", "CONNECT_URL": "http://127.0.0.1:1"},
    )

    assert "outbox-source" in names
    assert (
        unknown.stderr
        == f"Error: connector none does not exist. Known connectors: {', '.join(sorted(names))}\n"
    )
    assert known.stderr.startswith("Error: Kafka Connect does not answer at http://127.0.0.1:1"), known.stderr


def test_it_migrates_elsewhere(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, "migrate")

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "var/run/orders.db").exists()


def test_the_folder_for_readers_is_the_one_that_is_installed() -> None:
    assert (ROOT / "config/connectors").resolve() == FOLDER.resolve()


def test_the_licence_and_the_types_are_in_it(installed: Path) -> None:
    names = {str(path.relative_to(installed)) for path in installed.rglob("*")}

    assert "orders_service/py.typed" in names
    assert any(name.endswith("dist-info/licenses/LICENSE") for name in names)


def test_the_documents_and_the_pages_are_in_it(installed: Path) -> None:
    folders = ("contract/documents", "api/assets", "api/templates", "ui/assets", "ui/templates")

    def files(package: Path) -> set[str]:
        found = (path for folder in folders for path in (package / folder).rglob("*") if path.is_file())
        return {str(path.relative_to(package)) for path in found}

    kept = files(installed / "orders_service")
    assert kept == files(ROOT / "orders_service")
    assert {"contract/documents/openapi.json", "api/templates/page.html", "ui/assets/main.js"} <= kept
    assert any(name.endswith("swagger-ui-bundle.js.gz") for name in kept)


def test_nothing_else_is_in_it(installed: Path) -> None:
    names = {path.name.partition("-")[0] for path in installed.iterdir()}

    assert names == {"orders_service"}
