"""Gets the pictures of the road from the API: a stream or, if it has no free seat, by polling."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx

LIVE, ROAD = "/admin/live", "/admin/road"
POLL_SECONDS = 2.0
POLLED_SECONDS = 30.0  # Then the stream is tried again.
CONNECT_SECONDS, READ_SECONDS = 5.0, 20.0  # The stream sends a comment at least every 15 s.
PICTURE_BYTES = 1_048_576
OLDER = timedelta(seconds=10)

Picture = dict[str, Any]
Headers = Callable[[], dict[str, str]]  # Made again for each connection: a token expires.


class Refused(Exception):
    """The API refuses these requests. *status* is its answer's."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


def pictures(base: str, headers: Headers) -> Iterator[Picture]:
    """The pictures of one connection: a stream ends after some minutes, and polling sooner.

    Raises `Refused`, an `httpx.HTTPError` if the connection fails, `ValueError` if another program answers.
    """
    timeout = httpx.Timeout(CONNECT_SECONDS, read=READ_SECONDS)
    with (
        httpx.Client(base_url=base, timeout=timeout, headers=headers()) as api,
        api.stream("GET", LIVE) as response,
    ):
        if response.status_code == 200:
            yield from _events(response)
            return
        refused = _refused(response)
        if refused.status != 503:
            raise refused
        yield from _polled(api)


def is_past(picture: Picture, shown: Picture | None) -> bool:
    """Whether *picture* is older than the one that is *shown*.

    Each process of the API makes its own, so polling may get an older one after a newer one. One that is much
    older means that the clock was set back.
    """
    if shown is None:
        return False
    earlier = datetime.fromisoformat(shown["at"]) - datetime.fromisoformat(picture["at"])
    return timedelta() < earlier < OLDER


def _events(response: httpx.Response) -> Iterator[Picture]:
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        raise ValueError("the answer is not a stream of events")
    pending = b""
    for chunk in response.iter_bytes():
        *events, pending = (pending + chunk).split(b"\n\n")
        if len(pending) > PICTURE_BYTES:
            raise ValueError("an event is too long")
        for event in events:
            if event.startswith(b"event: road\ndata: "):
                yield _checked(json.loads(event.partition(b"data: ")[2]))


def _polled(api: httpx.Client) -> Iterator[Picture]:
    end = time.monotonic() + POLLED_SECONDS
    while time.monotonic() < end:
        response = api.get(ROAD)
        if response.status_code != 200:
            raise _refused(response)
        yield _checked(response.json())
        time.sleep(POLL_SECONDS)


def _checked(picture: Any) -> Picture:
    """The *picture*, if it has the parts that are drawn."""
    parts = ("at", "service", "headline", "stations", "recent", "stock", "answers", "deadLetters")
    if not isinstance(picture, dict) or any(part not in picture for part in parts):
        raise ValueError("the answer is not a picture of the road")
    return picture


def _refused(response: httpx.Response) -> Refused:
    response.read()
    try:
        detail = response.json()["detail"]
    except (ValueError, KeyError, TypeError):
        detail = response.reason_phrase
    return Refused(response.status_code, f"{response.status_code} {detail}")
