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

FREE = 20  # Rows that are read at once. Most lists are no longer.
CHUNK = 100  # Rows that are read in one turn, which takes a few milliseconds of the event loop.

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
        rows = self._read(after, min(limit, FREE) + 1)
        if len(rows) <= FREE or limit == FREE:
            following = link(rows[limit - 1]) if len(rows) > limit else None
            return _linked(jsonify([self._shown(row) for row in rows[:limit]]), following)
        take_turn = current_app.config["TAKE_TURN"]
        take_turn()
        last = self._last(after, limit)
        chunks = _cut_short(self._chunks(rows, limit, take_turn))
        response = current_app.response_class(chunks, mimetype="application/json")
        return _linked(response, None if last is None else link(last))

    def _chunks(
        self, rows: Sequence[Row[Any]], limit: int, take_turn: Callable[[], object]
    ) -> Iterator[bytes]:
        """The page as JSON, which begins with *rows*."""
        opening, left = b"[", limit
        while rows:
            yield opening + orjson.dumps([self._shown(row) for row in rows])[1:-1]
            opening, left, place = b",", left - len(rows), rows[-1].id
            take_turn()
            rows = self._read(place, min(left, CHUNK)) if left else []
        yield b"]\n"

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
    """*chunks*; a database that is lost on the way ends the answer, and the connection, before its end."""
    try:
        yield from chunks
    except SQLAlchemyError as error:
        log.error("Cannot read the rest of a list. The answer was cut short.", error=in_short(error))
        raise ConnectionAbortedError from error


def _linked(response: Response, following: str | None) -> Response:
    if following is not None:
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response
