"""`first-order` beside the page: both tell the same times, because both read what was stored."""

from datetime import datetime, timedelta
from pathlib import Path

import httpx
import pytest

from rig.documents.recording import running
from rig.processes import ended

STORED = ("outbox", "log", "status")  # The steps that have left a row or a record.
KINDS = ("recorded", "in-log", "answer-in-log", "confirmed")


def test_a_first_order_tells_the_times_that_the_page_shows(tmp_path: Path) -> None:
    with running(tmp_path) as settings:
        environment = {"STATE_DIR": settings.state_dir, "API_PORT": str(settings.api_port)}
        lines = ended("first-order", **environment).stdout.splitlines()
        path = f"/admin/orders/{lines[-1].rpartition('/')[2]}/journey"
        journey = httpx.get(f"http://127.0.0.1:{settings.api_port}{path}").raise_for_status().json()

    shown = {each["kind"]: datetime.fromisoformat(each["at"]) for each in journey["entries"] if each["at"]}
    since = [(shown[kind] - shown["recorded"]) / timedelta(milliseconds=1) for kind in KINDS]
    steps = [line.split() for line in lines if " ms  " in line]
    told = [int(step[0]) for step in steps if step[2] in STORED]
    assert len(told) == len(KINDS), lines
    assert [ms - told[0] for ms in told] == pytest.approx(since, abs=1.001)  # Each is rounded to 1 ms.
