"""The doctor on the real server, whose processes serve with greenlets and handle SIGCHLD themselves."""

import json
from pathlib import Path
from typing import Any

from rig.waiting import await_true
from tests.api.serving.test_server import Address, serving

SHOW = b"GET /admin/doctor HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
RUN = (
    b"POST /admin/doctor/runs HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    b"Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
)


def shown(address: Address) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(address.send(SHOW, ended=False).body)
    return found


def test_its_child_process_ends_with_findings_and_other_requests_are_served_meanwhile(tmp_path: Path) -> None:
    with serving(tmp_path) as (address, _):
        started = json.loads(address.send(RUN, ended=False).body)["started"]
        meanwhile = shown(address)["running"]

        await_true(lambda: not shown(address)["running"], "the doctor has ended", seconds=60)

        assert (started, meanwhile) == (True, True)
        findings = shown(address)["findings"]
        assert len(findings) > 3, findings
        assert "doctor" not in {finding["check"] for finding in findings}, findings
