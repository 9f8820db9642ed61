"""The road of an order: `/admin/road` once, and `/admin/live` as server-sent events."""

from flask import current_app
from flask.typing import ResponseReturnValue

from orders_service.api.admin.blueprint import admin
from orders_service.api.admin.road_reader import Made, RoadReader
from orders_service.api.event_stream import stream
from orders_service.api.identity.principal import user_of_request
from orders_service.api.problems import later, problem


@admin.get("/road")
def show_road() -> ResponseReturnValue:
    """The state of each station, and the trouble if there is any. The reading is at most a second old."""
    made = _reader().latest()
    if made is None:
        return _unread()
    return current_app.response_class(made.json, mimetype="application/json")


@admin.get("/live")
def follow_road() -> ResponseReturnValue:
    """The same, once a second."""
    reader = _reader()
    reader.seats.require_one(user_of_request())
    if reader.is_failing and reader.latest() is None:
        return _unread()
    return stream(Road(reader), reader.seats)


class Road:
    """Follows the road in an event stream."""

    def __init__(self, reader: RoadReader) -> None:
        self._reader = reader
        self._number = 0

    @property
    def is_final(self) -> bool:
        """Whether the road cannot be read: then the stream ends, and the next request is told so."""
        return self._reader.is_failing

    def first(self) -> bytes:
        """The present picture."""
        return self._event(self._reader.latest())

    def next(self, seconds: float, client: int | None) -> bytes:
        """The next picture; b"" if none comes within *seconds*."""
        return self._event(self._reader.after(self._number, seconds))

    def _event(self, made: Made | None) -> bytes:
        if made is None:
            return b""
        self._number = made.number
        return b"event: road\ndata: %s\n" % made.json


def _unread() -> ResponseReturnValue:
    return later(problem("overloaded", "The road could not be read in time."))


def _reader() -> RoadReader:
    reader: RoadReader = current_app.extensions["road"]
    return reader
