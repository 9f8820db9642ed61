"""`docs/course.md` is true: each command is typed in a new lab, and each output is compared."""

import os
import sys
from pathlib import Path

import pytest

from lab import Lab, LabError
from rig.walk import blocks, walk

pytestmark = pytest.mark.long

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/course.md"


@pytest.fixture
def servers(tmp_path: Path) -> None:
    """The programs of the lab's servers. Where they cannot be had, the test is skipped; in CI it fails."""
    try:
        for server in Lab(tmp_path / "unused", connect=True).servers:
            server.fetch(sys.stderr)
    except LabError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"the lab cannot run here: {error}")


@pytest.mark.real
@pytest.mark.timeout(600)
@pytest.mark.usefixtures("servers")
def test_a_learner_sees_what_the_page_shows(tmp_path: Path) -> None:
    found = walk(blocks(PAGE.read_text()), tmp_path)

    assert not found, "\n\n".join(f"{PAGE.name}, {one}" for one in found)
