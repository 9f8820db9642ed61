"""Lists, a page at a time.

A large page is read and sent in chunks. Between two chunks the process serves its other requests and no
transaction is open. No more than one chunk is in memory, however slowly the client reads.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import orjson
import structlog
from flask import Response, current_app, jsonify
from sqlalchemy import Engine, Row, Select
from sqlalchemy.exc import SQLAlchemyError

from orders_service.database import in_short

CHUNK = 100  # Rows. Reading so many takes a few milliseconds of the event loop.

log = structlog.get_logger()

Shown = Callable[[Row[Any]], dict[str, Any]]


class Listing:
    """The rows of *query* in the order of their `id`, each as *shown* makes it."""

    def __init__(self, engine: Engine, query: Select[Any], shown: Shown) -> None:
        self._engine = engine
        self._query = query
        self._shown = shown

    def page(self, *, after: int, limit: int, link: Callable[[Row[Any]], str]) -> Response:
        """The page of *limit* rows behind the row *after*; *link* is the address of what follows a row."""
        rows = self._read(after, min(limit, CHUNK) + 1)
        if len(rows) <= CHUNK:
            return _linked(self._whole(rows[:limit]), link(rows[limit - 1]) if len(rows) > limit else None)
        last = self._last(after, limit)
        response = current_app.response_class(self._stream(after, limit), mimetype="application/json")
        return _linked(response, None if last is None else link(last))

    def _whole(self, rows: Sequence[Row[Any]]) -> Response:
        return jsonify([self._shown(row) for row in rows])

    def _stream(self, after: int, limit: int) -> Iterator[bytes]:
        """The page as JSON. A database that is lost on the way ends the answer before its end."""
        turn = current_app.config["TURN"]

        def chunks() -> Iterator[bytes]:
            opening, place, left = b"[", after, limit
            while left and (rows := self._read(place, min(left, CHUNK))):
                yield opening + orjson.dumps([self._shown(row) for row in rows])[1:-1]
                opening, place, left = b",", rows[-1].id, left - len(rows)
                turn()
            yield b"]\n"

        return _cut_short(chunks())

    def _last(self, after: int, limit: int) -> Row[Any] | None:
        """The last row of the page, if another follows it."""
        number = self._query.selected_columns.id
        with self._engine.connect().execution_options(read_only=True) as connection:
            # By the index alone: the rows between are not read.
            ends = self._query.with_only_columns(number).where(number > after).order_by(number)
            found = connection.scalars(ends.offset(limit - 1).limit(2)).all()
            if len(found) < 2:
                return None
            return connection.execute(self._query.where(number == found[0])).one_or_none()

    def _read(self, after: int, most: int) -> Sequence[Row[Any]]:
        number = self._query.selected_columns.id
        query = self._query.where(number > after).order_by(number).limit(most)
        with self._engine.connect().execution_options(read_only=True) as connection:
            return connection.execute(query).all()


def _cut_short(chunks: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from chunks
    except SQLAlchemyError as error:
        log.error("Cannot read the rest of a list. The answer was cut short.", error=in_short(error))
        raise ConnectionAbortedError from error


def _linked(response: Response, following: str | None) -> Response:
    if following is not None:
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response
