"""`GET /admin/live`: the road once a second, and its seats."""

import json
from collections.abc import Iterator
from typing import Any, cast

import pytest
from werkzeug.wrappers import Response

from orders_service.api import event_stream
from orders_service.api.admin import road_reader
from rig.waiting import await_true
from tests.api.kit import Api, assert_problem
from tests.flow_kit import Flow

PATH = "/admin/live"


def chunks(response: Response) -> Iterator[bytes]:
    """What the stream sends, as it comes."""
    return cast(Iterator[bytes], iter(response.response))


def pictures(body: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    """The pictures in the events of a stream."""
    for chunk in body:
        for each in chunk.decode().split("\n\n"):
            if each.startswith("event: road\ndata: "):
                yield json.loads(each.partition("data: ")[2])


def test_the_road_is_sent_again_and_again(flow: Flow) -> None:
    response = flow.api.get(PATH)
    found = pictures(chunks(response))
    first = next(found)
    flow.place()
    flow.run()

    later = next(picture for picture in found if picture["recent"]["placed"])
    response.close()

    assert response.content_type == "text/event-stream"
    assert first["recent"]["placed"] == 0
    assert later["at"] > first["at"]
    assert later["headline"]["title"] == "Orders flow"


def test_a_comment_is_sent_when_there_is_no_picture_and_then_the_stream_ends(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "COMMENT_SECONDS", 0.1)
    monkeypatch.setattr(event_stream, "STREAM_SECONDS", 0.5)
    with api.client.get(PATH) as response:
        body = b"".join(chunks(response))

    assert b"event: road\n" in body
    assert b"\n\n:\n\n" in body
    assert body.endswith(b"retry: 1000\n\n")


def test_each_stream_has_a_seat(own_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    seats = own_api.app.extensions["road"].seats
    seats.most = 1
    with own_api.client.get(PATH) as response:
        next(chunks(response))
        refused = own_api.get(PATH)

    assert_problem(refused, 503, "too-many-waiters")
    assert seats.taken == 0


def test_the_reading_ends_after_the_last_stream(own_api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(road_reader, "LOOKED_AT_SECONDS", 0.2)
    reader = own_api.app.extensions["road"]
    with own_api.client.get(PATH) as response:
        next(chunks(response))
        was_at_work = reader.is_at_work

    await_true(lambda: not reader.is_at_work, "nobody looks any more")

    assert was_at_work
    assert own_api.get("/admin/road").status_code == 200, "it can begin again"


def test_told_to_stop_a_stream_ends(own_api: Api) -> None:
    with own_api.client.get(PATH) as response:
        body = chunks(response)
        next(body)
        own_api.app.extensions["watcher"].stop()

        rest = b"".join(body)

    assert rest.endswith(b"retry: 1000\n\n")
