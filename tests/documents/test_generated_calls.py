"""Requests that schemathesis generates from the document: each answer is one that the document names.

Valid requests are accepted, invalid ones are refused, and nothing answers 5xx. The same requests each time.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from lab import Lab
from rig import waiting
from rig.databases import databases_in
from rig.deployment import deployed
from rig.documents.recording import running

pytestmark = pytest.mark.long

CONFIG = Path(__file__).with_name("schemathesis.toml")
REQUESTS = 30  # The most generated requests of each operation, beside those at each limit.


def findings(url: str, folder: Path, *, requests: int = REQUESTS) -> str:
    """What schemathesis finds at *url*; empty if it finds nothing."""
    options = ["--checks", "all", "--max-examples", str(requests), "--continue-on-failure", "--no-color"]
    options += ["--warnings", "off"]
    same = ["--generation-deterministic", "--suppress-health-check", "all"]
    # At the address of a batch, `Allow` names GET, too: it could be the address of an order.
    same += ["--exclude-checks", "allow_header_conformance"]
    program = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIG), "run"]
    done = subprocess.run(
        [*program, f"{url}/openapi.json", *options, *same],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=waiting.seconds(200),
    )
    if done.returncode == 0:
        return ""
    return f"exit code {done.returncode}\n{done.stdout[-6000:]}{done.stderr[-2000:]}"


@pytest.mark.timeout(300)
def test_the_service_answers_on_sqlite_as_the_document_says(tmp_path: Path) -> None:
    with running(tmp_path) as settings:  # Of its own: some requests change the stock.
        assert findings(f"http://127.0.0.1:{settings.api_port}", tmp_path, requests=REQUESTS // 3) == ""


@pytest.mark.real
@pytest.mark.timeout(300)
def test_the_service_answers_on_mariadb_as_the_document_says(lab: Lab, tmp_path: Path) -> None:
    with databases_in(lab) as databases, deployed(lab, databases, tmp_path, ["api"]) as deployment:
        assert findings(deployment.url, tmp_path) == ""
        assert "Traceback" not in deployment.log("api").read_text()
