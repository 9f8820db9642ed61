"""Log lines, as a process writes them: safe on a terminal, whole for a machine."""

import json
import os
import pty
import subprocess
import sys

import pytest

SCRIPT = r"""
import logging, structlog
from orders_service import logs
logs.configure("info", "auto")
log = structlog.get_logger("orders_service.x")
hostile = "\x1b]0;x\x07\nforged \udcff http://u:s3cret@h/"
log.info("hello " + hostile, key=hostile, count=3, none=None, items=[hostile])
logging.getLogger("kafka.x").warning("from a library: %s", hostile)
try:
    raise ValueError(hostile)
except ValueError:
    log.exception("failed")
    logging.getLogger("kafka.x").exception("failed there")
"""


def test_a_line_for_a_machine_is_one_line_of_json_without_control_characters() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, timeout=60, check=True)

    lines = [json.loads(line) for line in done.stderr.splitlines()]

    assert [line["event"][:5] for line in lines] == ["hello", "from ", "faile", "faile"]
    assert lines[0]["key"] == r"\x1b]0;x\x07\nforged \udcff http://***@h/"
    assert (lines[0]["count"], lines[0]["none"]) == (3, None)
    assert all("Traceback" in line["exception"] for line in lines[2:])
    assert "s3cret" not in done.stderr.decode()
    assert "\x1b" not in "".join(str(value) for line in lines for value in line.values())


def test_a_line_for_a_terminal_has_no_control_character_from_outside() -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "40"}
    process = subprocess.Popen([sys.executable, "-c", SCRIPT], stderr=theirs, env=environment)
    os.close(theirs)
    written = b""
    while process.poll() is None or written.count(b"Traceback") < 2:
        try:
            written += os.read(ours, 65536)
        except OSError:  # The other end is closed, and everything was read.
            break
    os.close(ours)

    assert process.wait(60) == 0
    assert rb"\x1b]0;x\x07\nforged \udcff http://***@h/" in written
    assert b"s3cret" not in written
    assert b"\x1b]0" not in written
    assert not any(line.startswith(b"forged") for line in written.splitlines())


LOST = """
import logging, sys
from orders_service import logs
logs.configure(sys.argv[1], "auto")
logging.getLogger("kafka.net.transport").error("%s: socket disconnected", "t")
logging.getLogger("kafka.net.connection").error("%s: Connection lost: %s", "c", "socket disconnected")
logging.getLogger("kafka.net.manager").error("Connection failed: %s", "ECONNREFUSED")
logging.getLogger("kafka.net.connection").error("%s: SaslHandshake failed: %s", "c", "no")
"""


@pytest.mark.parametrize(("level", "told"), [("info", ["info", "info"]), ("warning", [])])
def test_a_connection_of_kafka_that_was_lost_is_no_error(level: str, told: list[str]) -> None:
    done = subprocess.run([sys.executable, "-c", LOST, level], capture_output=True, timeout=60, check=True)

    lines = [json.loads(line) for line in done.stderr.splitlines()]

    assert [line["level"] for line in lines] == [*told, "error", "error"]
    assert [line["event"] for line in lines[-2:]] == [
        "Connection failed: ECONNREFUSED",
        "c: SaslHandshake failed: no",
    ]


FORMS = """
import sys
from orders_service import logs
logs.configure("error", sys.argv[1])
logs.lines.write("info", "request", {"status": 200, "user": "김"})
"""


@pytest.mark.parametrize(("form", "is_json"), [("auto", True), ("json", True), ("pretty", False)])
def test_the_format_of_a_line_that_is_no_terminals(form: str, is_json: bool) -> None:
    done = subprocess.run([sys.executable, "-c", FORMS, form], capture_output=True, timeout=60, check=True)

    line = done.stderr.decode()
    assert line.count("\n") == 1
    assert line.startswith("{") is is_json
    if is_json:
        assert json.loads(line)["user"] == "김"
        assert line.isascii()
    else:
        assert "request" in line
        assert "status" in line
