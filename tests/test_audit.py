"""`make audit`: what is found, what is explained, and that not knowing is not the same as clean."""

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from lab import Ports

AUDIT = Path(__file__).resolve().parents[1] / ".ci/audit.py"
FINDING = {
    "id": "PYSEC-2026-7",
    "aliases": ["CVE-2026-7777"],
    "affected": [
        {
            "package": {"name": "lamp", "ecosystem": "PyPI"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.1"}]}],
        }
    ],
}
EXPLANATION = '[[explained]]\nid = "{}"\nreason = "Nobody reaches it."\ndate = 2026-11-24\n'


class Database(BaseHTTPRequestHandler):
    """It knows of one vulnerability, in lamp 1.0."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        found = {"vulns": [FINDING]} if asked["package"]["name"] == "lamp" else {}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@dataclass(frozen=True)
class Audit:
    """The audit, in a folder of its own, with the database at *port*."""

    folder: Path
    port: int

    def run(self, lock: str, *, explained: str = "") -> subprocess.CompletedProcess[str]:
        (self.folder / "some.lock").write_text(lock)
        (self.folder / "audit.toml").write_text(explained)
        where = f"http://127.0.0.1:{self.port}/v1/query"
        return subprocess.run(
            [sys.executable, shutil.copy(AUDIT, self.folder), "some.lock"],
            cwd=self.folder,
            env={"PIP_AUDIT_VULNERABILITY_SERVICE": "osv", "PIP_AUDIT_OSV_URL": where},
            capture_output=True,
            text=True,
        )


@pytest.fixture
def audit(tmp_path: Path) -> Iterator[Audit]:
    with HTTPServer(("127.0.0.1", 0), Database) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield Audit(tmp_path, server.server_port)
        server.shutdown()
        thread.join()


def test_a_lock_of_sound_packages_is_clean(audit: Audit) -> None:
    done = audit.run("desk==1.0 \\\n    --hash=sha256:00\n    # via orders-service\n")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("1 pins in 1 locks")


@pytest.mark.parametrize("marker", ["", " ; sys_platform == 'win32'", ' ; python_full_version < "3"'])
def test_a_finding_fails_whatever_system_the_package_is_for(audit: Audit, marker: str) -> None:
    done = audit.run(f"desk==1.0\nlamp==1.0{marker} \\\n    --hash=sha256:00\n")

    assert done.returncode == 1
    assert done.stderr == "some.lock: lamp 1.0 has PYSEC-2026-7, mended in 1.1\n"


@pytest.mark.parametrize("name", ["PYSEC-2026-7", "CVE-2026-7777"])
def test_a_finding_may_be_explained_by_any_of_its_names(audit: Audit, name: str) -> None:
    done = audit.run("lamp==1.0\n", explained=EXPLANATION.format(name))

    assert (done.returncode, done.stderr) == (0, "")


def test_an_explanation_that_nothing_needs_any_more_must_go(audit: Audit) -> None:
    done = audit.run("desk==1.0\n", explained=EXPLANATION.format("PYSEC-2026-7"))

    assert done.returncode == 1
    assert "PYSEC-2026-7 is not found any more" in done.stderr


def test_an_explanation_needs_a_reason(audit: Audit) -> None:
    done = audit.run("lamp==1.0\n", explained='[[explained]]\nid = "PYSEC-2026-7"\ndate = 2026-11-24\n')

    assert done.returncode == 1
    assert "each entry needs id, reason and date" in done.stderr


def test_a_database_that_does_not_answer_is_not_taken_for_a_clean_one(tmp_path: Path) -> None:
    done = Audit(tmp_path, Ports.free().connect).run("desk==1.0\n")

    assert done.returncode == 5
    assert done.stderr.startswith("NOT AUDITED")
    assert "Connection refused" in done.stderr


def test_a_line_that_is_no_pin_is_not_passed_over(audit: Audit) -> None:
    done = audit.run("desk @ https://example.org/desk.tar.gz\n")

    assert done.returncode == 5
    assert "not a pin: desk @" in done.stderr
