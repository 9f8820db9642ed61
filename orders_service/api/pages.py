"""Pagination of lists.

A large page is read and sent in chunks. Between two chunks the process serves its other requests and no
transaction is open. No more than one chunk is in memory, however slowly the client reads.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import orjson
import structlog
from flask import Response, current_app, jsonify
from sqlalchemy import Row
from sqlalchemy.exc import SQLAlchemyError

from orders_service.api import request_ids
from orders_service.api.scan import Scan
from orders_service.database.errors import in_short

FIRST_CHUNK = 20  # Rows. Most lists are no longer, and need no second query.
CHUNK = 100  # Rows that are read in one turn, which takes a few milliseconds of the event loop.
# A filter looks at so many rows at once (2 ms of MariaDB's time), and if it finds too few, at so many in its
# turn (20 ms). Then the page ends, so that a filter that finds nothing does not read a million rows.
SCAN_FIRST = 1_000
SCAN_MAX = 10_000

log = structlog.get_logger()

ToJson = Callable[[Row[Any]], dict[str, Any]]


class Turn(Protocol):
    """A context manager: waits until other requests are served, then lets one long request work at a time."""

    def __call__(self, *, first: bool) -> AbstractContextManager[object]: ...


@dataclass(frozen=True)
class Chunk:
    """Some rows of a page as JSON, without the brackets of the list."""

    json: bytes
    rows: int
    last: int  # The `id` of the last row.


@dataclass(frozen=True)
class RestOfPage:
    """The rest of a page, which starts after the row *after*.

    On the last page it has at most *left* rows. Otherwise it has all rows to *up_to*, where the next page
    starts: so a row that is committed in between is not missed.
    """

    after: int | None
    left: int
    up_to: int | None

    def behind(self, chunk: Chunk) -> "RestOfPage":
        """The rest of the page after *chunk*."""
        return RestOfPage(chunk.last, self.left - chunk.rows, self.up_to)


class Listing:
    """Sends the rows of *scan*. *to_json* makes the JSON object of a row."""

    def __init__(self, scan: Scan, to_json: ToJson) -> None:
        self._scan = scan
        self._to_json = to_json

    def page_behind(self, key: str, *, limit: int, link: Callable[[Row[Any]], str]) -> Response | None:
        """The page after the row with this *key*, read by one statement.

        None if the page needs several statements, or has no rows: then the row may not exist.
        """
        if self._scan.start is None or self._scan.conditions or limit > FIRST_CHUNK:
            return None
        rows = self._scan.read_behind(key, limit + 1)
        return self._short(rows, limit, link) if rows else None

    def page(self, *, after: int | None, limit: int, link: Callable[[Row[Any]], str]) -> Response:
        """Return the page of *limit* rows after the row *after*. *link* makes the URL of the next page.

        If a filter finds less among `SCAN_MAX` rows, the page is shorter, and the next page goes on there.
        """
        most = min(limit, FIRST_CHUNK) + 1
        end = self._scan.end(after, SCAN_FIRST)
        rows = self._scan.read(after, most, up_to=end)
        found_enough = end is None or len(rows) == most
        if found_enough and (len(rows) <= FIRST_CHUNK or limit == FIRST_CHUNK):
            return self._short(rows, limit, link)
        turn: Turn = current_app.config["TURN"]
        with turn(first=True):
            last = self._scan.last(after, limit, up_to=self._scan.end(after, SCAN_MAX))
            page = RestOfPage(after, limit, last and last.id)
            chunk = self._chunk(page)
        chunks = _cut_short(self._chunks(page, chunk, turn), request_ids.current())
        response = current_app.response_class(chunks, mimetype="application/json")
        return _linked(response, None if last is None else link(last))

    def _short(self, rows: Sequence[Row[Any]], limit: int, link: Callable[[Row[Any]], str]) -> Response:
        """A page of *rows*, which are one more than *limit* if another page follows."""
        following = link(rows[limit - 1]) if len(rows) > limit else None
        return _linked(jsonify([self._to_json(row) for row in rows[:limit]]), following)

    def _chunks(self, page: RestOfPage, chunk: Chunk | None, turn: Turn) -> Iterator[bytes]:
        """The page as JSON, in pieces. *chunk* is its first."""
        opening = b"["
        while chunk:
            yield opening + chunk.json
            opening, page = b",", page.behind(chunk)
            with turn(first=False):
                chunk = self._chunk(page)
        yield b"]\n" if opening == b"," else b"[]\n"

    def _chunk(self, page: RestOfPage) -> Chunk | None:
        """The next rows of the page; None at its end."""
        most = CHUNK if page.up_to is not None else min(CHUNK, page.left)
        rows = self._scan.read(page.after, most, up_to=page.up_to) if most > 0 else []
        if not rows:
            return None
        return Chunk(orjson.dumps([self._to_json(row) for row in rows])[1:-1], len(rows), rows[-1].id)


def _cut_short(chunks: Iterator[bytes], request_id: str) -> Iterator[bytes]:
    """Pass *chunks* on. If the database fails, close the connection: the client sees that the list is cut."""
    try:
        yield from chunks
    except SQLAlchemyError as error:
        # Flask's request has ended: the id has to be given.
        text = "Cannot read the rest of a list. The answer was cut short."
        log.error(text, error=in_short(error), request_id=request_id)
        raise ConnectionAbortedError from error


def _linked(response: Response, following: str | None) -> Response:
    if following is not None:
        response.headers["Link"] = f'<{following}>; rel="next"'
    return response
