"""What commands print of texts from outside: nothing that a terminal obeys, one line for each."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from orders_service.commands import catalog, outbox, topics
from orders_service.commands.connectors import command
from orders_service.commands.doctor import command as doctor
from orders_service.events.brokers.embedded import EmbeddedBroker
from orders_service.events.brokers.port import TopicSpec
from tests.flow_kit import Flow

HOSTILE = "\x1b]0;title\x07\nforged\u202e"
SEEN = r"\x1b]0;title\x07\nforged\u202e"


@pytest.fixture
def set_for(flow: Flow, monkeypatch: pytest.MonkeyPatch) -> Flow:
    """The flow, with the environment set for commands that look at it."""
    for name, value in flow.databases.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("STATE_DIR", flow.settings.state_dir)
    monkeypatch.setenv("API_PORT", "1")
    return flow


def assert_harmless(output: str) -> None:
    assert SEEN in output
    assert not any(character in output for character in "\x1b\x07\u202e")
    assert not any(line.startswith("forged") for line in output.splitlines())


def test_an_error_of_the_broker_in_the_outbox(set_for: Flow) -> None:
    set_for.place()
    set_for.sql("orders", f"UPDATE outbox SET lane = NULL, error = '{HOSTILE}'")

    assert_harmless(CliRunner().invoke(outbox.main, ["list"]).output)


def test_a_product_in_the_doctors_books(set_for: Flow) -> None:
    set_for.sql("catalog", f"UPDATE catalog SET product_id = '{HOSTILE}', stock = 7 WHERE id = 1")

    assert_harmless(CliRunner().invoke(doctor.main).output)


@pytest.mark.parametrize("column", ["product_id", "product_name"])
def test_a_product_in_the_list(set_for: Flow, column: str) -> None:
    set_for.sql("catalog", f"UPDATE catalog SET {column} = '{HOSTILE}' WHERE id = 1")

    assert_harmless(CliRunner().invoke(catalog.main, ["list"]).output)


def test_the_doctors_findings_for_a_script(set_for: Flow) -> None:
    set_for.sql("catalog", f"UPDATE catalog SET product_id = '{HOSTILE}', stock = 7 WHERE id = 1")

    output = CliRunner().invoke(doctor.main, ["--json"]).output

    assert "".join(finding["seen"] for finding in json.loads(output)).isprintable()


def test_a_topic_of_somebody_else(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STATE_DIR", str(tmp_path))
    EmbeddedBroker(tmp_path / "broker.db").create_topics([HOSTILE], TopicSpec(partitions=1))

    for words in (["list"], ["describe"]):
        assert_harmless(CliRunner().invoke(topics.main, words).output)


class Connect(BaseHTTPRequestHandler):
    """A Kafka Connect that answers with hostile texts."""

    def do_GET(self) -> None:
        if self.path == "/connectors":
            answer: object = [HOSTILE]
        else:
            task = {"id": 0, "state": "FAILED", "trace": f"Caused by: {HOSTILE} http://u:s3cret@h"}
            answer = {"connector": {"state": "RUNNING"}, "tasks": [task]}
        body = json.dumps(answer).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """CONNECT_URL names it."""
    with HTTPServer(("127.0.0.1", 0), Connect) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("CONNECT_URL", f"http://127.0.0.1:{server.server_port}")
        yield
        server.shutdown()
        thread.join()


@pytest.mark.usefixtures("connect")
def test_what_connect_says_to_a_script() -> None:
    listed = json.loads(CliRunner().invoke(command.main, ["list", "--json"]).output)
    output = CliRunner().invoke(command.main, ["status", "--json"]).output

    connector, task = json.loads(output)
    assert listed == [{"connector": HOSTILE}]
    assert connector == {"connector": HOSTILE, "part": "connector", "state": "RUNNING", "cause": None}
    assert (task["part"], task["state"]) == ("task 0", "FAILED")
    assert not any(character in output for character in "\x1b\x07\u202e")
    assert "s3cret" not in output


@pytest.mark.usefixtures("connect")
@pytest.mark.parametrize("word", ["list", "status"])
def test_what_connect_says(word: str) -> None:
    output = CliRunner().invoke(command.main, [word]).output

    assert_harmless(output)
    assert "s3cret" not in output
