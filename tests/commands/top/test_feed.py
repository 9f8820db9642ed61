"""Where the pictures of the road come from: a stream, or polling while it has no free seat."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from orders_service.commands.top import feed
from orders_service.commands.top.command import Live
from tests.commands.top import pictures

READINGS = ("2026-11-30T07:00:00.000000+00:00", "2026-11-30T07:00:01.000000+00:00")
FULL = json.dumps({"detail": "All seats are taken."}).encode()


class Full(BaseHTTPRequestHandler):
    """An API without a free seat for a stream."""

    def do_GET(self) -> None:
        is_stream = self.path == feed.LIVE
        status, body = (503, FULL) if is_stream else (200, json.dumps(self.picture()).encode())
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def picture(self) -> dict[str, Any]:
        return pictures.picture()

    def log_message(self, *_: object) -> None:
        pass


class TwoProcesses(Full):
    """An API with two processes, of which the second one has made its reading a second earlier."""

    asked = 0

    def picture(self) -> dict[str, Any]:
        TwoProcesses.asked += 1
        return pictures.picture() | {"at": READINGS[TwoProcesses.asked % 2]}


@pytest.fixture(params=[Full])
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), request.param) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_polling_ends_after_a_while_so_that_the_stream_is_tried_again(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(feed, "POLLED_SECONDS", 0.1)

    found = list(feed.pictures(address, dict))

    assert found
    assert found[0] == pictures.picture()


@pytest.mark.parametrize(
    ("seconds", "is_past"), [(-0.001, True), (-9, True), (0, False), (1, False), (-3600, False)]
)
def test_a_picture_from_before_the_one_that_is_shown_is_past(seconds: float, is_past: bool) -> None:
    at = datetime(2026, 11, 30, 7, 0, tzinfo=UTC)

    found = feed.is_past({"at": (at + timedelta(seconds=seconds)).isoformat()}, {"at": at.isoformat()})

    assert found == is_past
    assert not feed.is_past({"at": at.isoformat()}, None)


@pytest.mark.parametrize("address", [TwoProcesses], indirect=True)
def test_top_does_not_go_back_in_time(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(feed, "POLLED_SECONDS", 0.1)
    live = Live(address, dict)

    live.receive()

    assert live.picture
    assert live.picture["at"] == max(READINGS)
