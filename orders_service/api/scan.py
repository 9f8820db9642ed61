"""Reads a list's rows by their number, upwards or downwards, and bounds how many rows a filter looks at."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Engine, Row, Select


@dataclass(frozen=True)
class Scan:
    """The rows of *query* that meet all *conditions*, in the order of their `id`, from 1 or from the last.

    Each method opens a connection of its own, and begins behind the row *after*, or at the first row (None).
    """

    engine: Engine
    query: Select[Any]
    conditions: Sequence[ColumnElement[bool]] = ()
    descending: bool = False

    def read(self, after: int | None, most: int, *, up_to: int | None) -> Sequence[Row[Any]]:
        """The next rows: at most *most*, none behind the row *up_to*."""
        query = self._ordered(self.query, after, up_to).where(*self.conditions).limit(most)
        with self.engine.connect().execution_options(read_only=True) as connection:
            return connection.execute(query).all()

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
        with self.engine.connect().execution_options(read_only=True) as connection:
            return connection.execute(self.query.where(self._number == last)).one_or_none()

    def _nth(
        self, after: int | None, nth: int, up_to: int | None, conditions: Sequence[ColumnElement[bool]]
    ) -> int | None:
        """The number of the nth next row, or None if no other row follows it."""
        # Without conditions, this query reads only the index, not the rows between.
        numbers = self._ordered(self.query.with_only_columns(self._number), after, up_to)
        with self.engine.connect().execution_options(read_only=True) as connection:
            found = connection.scalars(numbers.where(*conditions).offset(nth - 1).limit(2)).all()
        return found[0] if len(found) == 2 else None

    def _ordered(self, query: Select[Any], after: int | None, up_to: int | None) -> Select[Any]:
        number = self._number
        if after is not None:
            query = query.where(number < after if self.descending else number > after)
        if up_to is not None:
            query = query.where(number >= up_to if self.descending else number <= up_to)
        return query.order_by(number.desc() if self.descending else number)

    @property
    def _number(self) -> ColumnElement[int]:
        return self.query.selected_columns.id
