"""Server-sent events: the changes of one order, and of a user's orders."""

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from werkzeug.test import TestResponse

from orders_service.api import event_stream
from orders_service.api.event_stream import EventStream
from orders_service.api.order_events import OrdersOfUser
from orders_service.api.watch import Newest, Watcher
from orders_service.orders import changes
from tests.api.kit import ORDERS, Api, assert_problem


@dataclass(frozen=True)
class Event:
    """An event as a browser reads it."""

    id: str
    order: dict[str, Any]

    @property
    def status(self) -> str:
        return str(self.order["status"])


class Stream:
    """A stream, as a client reads it."""

    def __init__(self, response: TestResponse) -> None:
        self.response = response
        self._chunks = response.iter_encoded()
        self.beginning = next(self._chunks)

    def chunk(self) -> bytes:
        return next(self._chunks)

    def events(self) -> list[Event]:
        """The events in the next piece that has any; none at the end of the stream."""
        for chunk in self._chunks:
            if found := events(chunk):
                return found
        return []

    @property
    def rest(self) -> bytes:
        return b"".join(self._chunks)


def events(text: bytes) -> list[Event]:
    """The events of a piece of a stream."""
    found = []
    for block in text.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "data" in fields:
            assert fields["event"] == "order"
            found.append(Event(fields["id"], json.loads(fields["data"])))
    return found


@contextmanager
def stream(api: Api, path: str, *, last: str = "") -> Iterator[Stream]:
    response = api.client.get(path, headers={"Last-Event-ID": last} if last else {}, buffered=False)
    assert response.status_code == 200, response.text
    try:
        yield Stream(response)
    finally:
        response.close()


of_user = partial(stream, path=f"{ORDERS}/events")


def seats(api: Api) -> int:
    watcher: Watcher = api.app.extensions["watcher"]
    return watcher.seats.taken


def test_a_stream_says_that_nothing_may_keep_it_back(api: Api) -> None:
    with of_user(api) as found:
        headers = found.response.headers

    assert headers["Content-Type"] == "text/event-stream"
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Accel-Buffering"] == "no"
    assert "Content-Length" not in headers


def test_an_order_is_sent_as_it_is_and_at_each_change_until_nothing_can_change(api: Api) -> None:
    order_id = api.placed()

    with stream(api, f"{ORDERS}/{order_id}/events") as found:
        seen = events(found.beginning)
        api.confirm(order_id)
        seen += found.events()
        shown = api.get(f"{ORDERS}/{order_id}").json
        api.cancel(order_id)
        seen += found.events()
        rest = found.rest

    assert [one.status for one in seen] == ["PENDING", "CONFIRMED", "CANCELLED"]
    assert [one.id for one in seen] == [f"{order_id}:{version}" for version in (1, 2, 3)]
    assert seen[1].order == shown
    assert rest == b"retry: 1000\n\n"


def test_a_rejected_order_is_sent_once_and_a_browser_that_comes_again_is_told_to_stop(api: Api) -> None:
    order_id = api.placed()
    api.reject(order_id, "unknown-product")
    path = f"{ORDERS}/{order_id}/events"

    with stream(api, path) as found:
        (seen,) = events(found.beginning)
        rest = found.rest
    again = api.client.get(path, headers={"Last-Event-ID": seen.id})

    assert (seen.status, seen.order["reason"], rest) == ("REJECTED", "unknown-product", b"retry: 1000\n\n")
    assert (again.status_code, again.data) == (204, b"")


@pytest.mark.parametrize("last", ["{}:2", "nonsense", ":", "{}:x", "{}:99999999999999999999", "\xff"])
def test_an_order_that_the_client_has_not_seen_in_this_version_is_sent(api: Api, last: str) -> None:
    order_id = api.placed()
    with stream(api, f"{ORDERS}/{order_id}/events", last=last.format(order_id)) as found:
        seen = events(found.beginning)

    assert [one.status for one in seen] == ["PENDING"]


def test_an_order_that_the_client_has_seen_is_not_sent_again(api: Api) -> None:
    order_id = api.placed()

    with stream(api, f"{ORDERS}/{order_id}/events", last=f"{order_id}:1") as found:
        seen = events(found.beginning)
        api.confirm(order_id)
        then = found.events()

    assert seen == []
    assert [one.id for one in then] == [f"{order_id}:2"]


def test_a_users_new_and_changed_orders_are_sent_and_nobody_elses(api: Api) -> None:
    old = api.placed()
    api.placed("lee")

    with of_user(api) as found:
        before = events(found.beginning)
        new = api.placed()
        api.placed("lee")
        seen = found.events()
        api.confirm(old)
        seen += found.events()
        api.reject(new, "unknown-product")
        seen += found.events()

    assert before == []
    assert [(one.order["orderId"], one.status) for one in seen] == [
        (new, "PENDING"),
        (old, "CONFIRMED"),
        (new, "REJECTED"),
    ]


def test_streams_of_one_user_see_the_same(api: Api) -> None:
    with of_user(api) as one, of_user(api) as other:
        order_id = api.placed()
        seen = one.events(), other.events()

    assert [found.id for found in seen[0]] == [found.id for found in seen[1]] == [f"{order_id}:1"]


def test_what_a_client_has_missed_is_sent_when_it_comes_again(api: Api) -> None:
    first = api.placed()
    with of_user(api) as found:
        api.confirm(first)
        (last,) = found.events()
    second = api.placed()
    api.confirm(second)
    third = api.placed()

    with of_user(api, last=last.id) as found:
        missed = events(found.beginning)

    assert [(one.order["orderId"], one.status) for one in missed] == [
        (second, "CONFIRMED"),
        (third, "PENDING"),
    ]


@pytest.mark.parametrize("last", ["nonsense", "00000000-0000-4000-8000-000000000000:1", "a" * 2000, ":"])
def test_without_an_order_that_is_known_nothing_was_missed(api: Api, last: str) -> None:
    api.placed()

    with of_user(api, last=last) as found:
        assert events(found.beginning) == []


def test_only_the_newest_orders_are_followed(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "NEWEST_MAX", 2)
    changes._activity_text.cache_clear()
    old, *new = (api.placed() for _ in range(3))

    with of_user(api) as found:
        api.confirm(old)
        api.confirm(new[0])
        seen = found.events()
    changes._activity_text.cache_clear()

    assert [one.order["orderId"] for one in seen] == [new[0]]


def test_a_comment_is_sent_while_nothing_changes_and_then_the_stream_ends(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_stream, "COMMENT_SECONDS", 0.1)
    monkeypatch.setattr(event_stream, "STREAM_SECONDS", 0.5)

    with of_user(api) as found:
        comment = found.chunk()
        rest = found.rest

    assert comment == b":\n\n"
    assert rest.endswith(b":\n\nretry: 1000\n\n")


def test_told_to_stop_a_stream_ends_politely(own_api: Api) -> None:
    with of_user(own_api) as found:
        own_api.app.extensions["watcher"].stop()
        rest = found.rest

    assert rest.endswith(b"retry: 1000\n\n")


def test_a_stream_that_ends_leaves_its_seat_whatever_ended_it(api: Api) -> None:
    order_id = api.placed()
    api.reject(order_id, "unknown-product")
    with stream(api, f"{ORDERS}/{order_id}/events") as found:
        assert seats(api) == 1
        assert found.rest
    with of_user(api):
        assert seats(api) == 1
    head = api.client.head(f"{ORDERS}/events")
    head.close()

    assert (head.status_code, seats(api)) == (200, 0)


def test_a_stream_whose_answer_never_begins_leaves_its_seat(api: Api) -> None:
    watcher: Watcher = api.app.extensions["watcher"]
    body = EventStream(watcher, OrdersOfUser(watcher, "kim", Newest([]), None))
    before = seats(api)

    del body
    gc.collect()

    assert (before, seats(api)) == (1, 0)


def test_the_garbage_collector_may_end_a_stream_while_another_takes_a_seat(api: Api) -> None:
    watcher: Watcher = api.app.extensions["watcher"]
    body = EventStream(watcher, OrdersOfUser(watcher, "kim", Newest([]), None))

    with watcher.seats._mutex:
        del body
        gc.collect()

    assert seats(api) == 0


@pytest.mark.parametrize("user", ["lee", "KIM"])
def test_anothers_order_has_no_stream(api: Api, user: str) -> None:
    order_id = api.placed()

    assert_problem(api.get(f"/order-service/{user}/orders/{order_id}/events"), 404, "order-not-found")


def test_a_user_that_no_order_can_have_has_no_stream(api: Api) -> None:
    assert_problem(api.get("/order-service/%20/orders/events"), 422, "invalid-fields", fields=("userId",))
    assert_problem(api.get("/order-service/kim/orders/events?limit=1"), 400, "unknown-parameter")
