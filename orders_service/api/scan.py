"""Reads a list's rows by their number, upwards or downwards, and bounds how many rows a filter looks at."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, Select, bindparam

from orders_service.database.reading import rows_of


@dataclass(frozen=True)
class Scan:
    """The rows of *query* that meet all *conditions*, in the order of their `id`, from 1 or from the last.

    *values* are those of the query's parameters. *start* is a query for the number of the row with the
    key `start`.

    Each method opens a connection of its own, and begins behind the row *after*, or at the first row (None).
    """

    engine: Engine
    query: Select[Any]
    conditions: Sequence[ColumnElement[bool]] = ()
    values: Mapping[str, Any] = field(default_factory=dict)
    descending: bool = False
    start: Select[Any] | None = None

    def read_behind(self, key: str, most: int) -> Sequence[Row[Any]]:
        """The next rows behind the row with this *key*, in one statement; none if it does not exist.

        Needs *start*. Conditions are not allowed, because `end` would have to bound what they look at.
        """
        assert self.start is not None
        assert not self.conditions
        values = {**self.values, "start": key, "most": most}
        return rows_of(self.engine, _behind(self.query, self.start, self.descending), values)

    def read(self, after: int | None, most: int, *, up_to: int | None) -> Sequence[Row[Any]]:
        """The next rows: at most *most*, none behind the row *up_to*."""
        query = _some(self.query, after is not None, up_to is not None, self.descending)
        return self._rows(
            query.where(*self.conditions) if self.conditions else query, after, up_to, most=most
        )

    def end(self, after: int | None, rows: int) -> int | None:
        """The last of the next *rows* rows, whether they meet the conditions or not.

        None if no other row follows it, or if there is no condition: then reading stops by itself.
        """
        return self._nth(after, rows, None, ()) if self.conditions else None

    def last(self, after: int | None, most: int, *, up_to: int | None) -> Row[Any] | None:
        """The last of the next *most* rows, or the row *up_to* if there are not so many.

        None if that is no row, or if no other row follows it.
        """
        last = self._nth(after, most, up_to, self.conditions)
        if last is None:
            last = up_to
        if last is None:
            return None
        found = rows_of(self.engine, self.query.where(self.query.selected_columns.id == last), self.values)
        return found[0] if found else None

    def _nth(
        self, after: int | None, nth: int, up_to: int | None, conditions: Sequence[ColumnElement[bool]]
    ) -> int | None:
        """The number of the nth next row, or None if no other row follows it."""
        # Without conditions, this query reads only the index, not the rows between.
        numbers = self.query.with_only_columns(self.query.selected_columns.id)
        query = _ordered(numbers, after is not None, up_to is not None, self.descending)
        found = self._rows(query.where(*conditions).offset(nth - 1).limit(2), after, up_to)
        return found[0].id if len(found) == 2 else None

    def _rows(
        self, query: Select[Any], after: int | None, up_to: int | None, **most: int
    ) -> Sequence[Row[Any]]:
        bounds = {"after": after, "up_to": up_to}
        given = {name: number for name, number in bounds.items() if number is not None}
        return rows_of(self.engine, query, {**self.values, **given, **most})


@lru_cache(maxsize=64)
def _some(query: Select[Any], has_after: bool, has_up_to: bool, descending: bool) -> Select[Any]:
    """The next `most` rows of *query*. Kept: building it takes as long as reading the rows."""
    return _ordered(query, has_after, has_up_to, descending).limit(bindparam("most"))


@lru_cache(maxsize=64)
def _behind(query: Select[Any], start: Select[Any], descending: bool) -> Select[Any]:
    """The next `most` rows of *query* behind the row that *start* finds."""
    number, first = query.selected_columns.id, start.scalar_subquery()
    query = query.where(number < first if descending else number > first)
    return query.order_by(number.desc() if descending else number).limit(bindparam("most"))


def _ordered(query: Select[Any], has_after: bool, has_up_to: bool, descending: bool) -> Select[Any]:
    """*query* in the order of the rows' `id`, behind the row `after` and not behind the row `up_to`."""
    number = query.selected_columns.id
    if has_after:
        after: ColumnElement[int] = bindparam("after")
        query = query.where(number < after if descending else number > after)
    if has_up_to:
        up_to: ColumnElement[int] = bindparam("up_to")
        query = query.where(number >= up_to if descending else number <= up_to)
    return query.order_by(number.desc() if descending else number)
