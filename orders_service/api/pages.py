"""Lists, a page at a time.

A large page is read and sent in chunks. Between two chunks the process serves its other requests and no
transaction is open. No more than one chunk is in memory, however slowly the client reads.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import orjson
import structlog
from flask import Response, current_app, jsonify
from sqlalchemy import Engine, Row, Select
from sqlalchemy.exc import SQLAlchemyError

from orders_service.database import in_short

FIRST_CHUNK = 20  # Rows. Most lists are no longer, and need no second query.
CHUNK = 100  # Rows that are read in one turn, which takes a few milliseconds of the event loop.

log = structlog.get_logger()

Shown = Callable[[Row[Any]], dict[str, Any]]


class TakeTurn(Protocol):
    """What a long request calls before each piece of its work, so that others are served."""

    def __call__(self, *, first: bool) -> object: ...


class Listing:
    """The rows of *query* in the order of their `id`, each as *shown* makes it."""

    def __init__(self, engine: Engine, query: Select[Any], shown: Shown) -> None:
        self._engine = engine
        self._query = query
        self._shown = shown

    def page(self, *, after: int, limit: int, link: Callable[[Row[Any]], str]) -> Response:
        """Return the page of *limit* rows after the row *after*. *link* makes the URL of the next page."""
        rows = self._read(after, min(limit, FIRST_CHUNK) + 1)
        if len(rows) <= FIRST_CHUNK or limit == FIRST_CHUNK:
            following = link(rows[limit - 1]) if len(rows) > limit else None
            return _linked(jsonify([self._shown(row) for row in rows[:limit]]), following)
        take_turn = current_app.config["TAKE_TURN"]
        take_turn(first=True)
        last = self._last(after, limit)
        chunks = _cut_short(self._chunks(rows, limit, last, take_turn))
        response = current_app.response_class(chunks, mimetype="application/json")
        return _linked(response, None if last is None else link(last))

    def _chunks(
        self, rows: Sequence[Row[Any]], limit: int, last: Row[Any] | None, take_turn: TakeTurn
    ) -> Iterator[bytes]:
        """The page as JSON, which begins with *rows* and ends with *last*, or after *limit* rows.

        A row before *last* that is committed meanwhile belongs to this page: the next starts after *last*.
        """
        rows = [row for row in rows if last is None or row.id <= last.id]
        yield b"[" + self._json(rows)
        left = limit - len(rows)
        while left > 0 or last is not None:
            up_to = last and last.id
            rows = self._read(rows[-1].id, CHUNK if last else min(left, CHUNK), up_to=up_to)
            if not rows:
                break
            yield b"," + self._json(rows)
            left -= len(rows)
            take_turn(first=False)
        yield b"]\n"

    def _json(self, rows: Sequence[Row[Any]]) -> bytes:
        return orjson.dumps([self._shown(row) for row in rows])[1:-1]

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

    def _read(self, after: int, most: int, *, up_to: int | None = None) -> Sequence[Row[Any]]:
        number = self._query.selected_columns.id
        query = self._query.where(number > after).order_by(number).limit(most)
        if up_to is not None:
            query = query.where(number <= up_to)
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
