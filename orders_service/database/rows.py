"""INSERTs of many rows in one statement, without the work that SQLAlchemy and the driver do for each row."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

from sqlalchemy import Connection, Dialect, FromClause, Table

# The limits of one INSERT. MariaDB closes the connection for a statement longer than `max_allowed_packet`,
# which may be 1 MiB.
ROWS_MAX = 500
BYTES_MAX = 900_000
# The most bytes of one character: four in UTF-8 or one in ASCII, and each may be written as two hex digits.
CHARACTER_BYTES, ASCII_BYTES = 8, 2
VALUE_BYTES = 24  # For a number, or for what surrounds a text: introducer, quotes, comma.
PLAIN = re.compile(r"[\w./ -]*", re.ASCII)  # Text that needs no escape, in any SQL mode or by the driver.

Value = str | int | None
T = TypeVar("T")


class RowWriter(Generic[T]):
    """Writes objects into *table*, with many rows in one INSERT.

    *columns* maps each column to a function that reads its value from an object: a text, a number, None, or
    an instant as `text_of` writes it. *constants* maps columns to constants, which are part of the statement.
    *per_call* lists the columns that have one value for all objects of a call: `write` takes them by name.
    """

    def __init__(
        self,
        table: FromClause,
        columns: Mapping[str, Callable[[T], Value]],
        *,
        per_call: Sequence[str] = (),
        constants: Mapping[str, str | int] | None = None,
    ) -> None:
        assert isinstance(table, Table)
        self._table = table
        self._getters = tuple(columns.values())
        self._per_call = tuple(per_call)
        self._constants = dict(constants or {})
        self._names = (*columns, *self._per_call, *self._constants)
        self._statements: dict[str, tuple[str, str]] = {}
        self._check()

    def write(self, connection: Connection, things: Sequence[T], **per_call: Value) -> None:
        """Insert a row for each of *things* in the connection's transaction."""
        assert per_call.keys() == set(self._per_call), (
            f"{sorted(per_call)} given, {sorted(self._per_call)} needed"
        )
        name = connection.dialect.name
        head, row = self._statements.get(name) or self._statement(connection.dialect)
        rest = tuple(map(per_call.__getitem__, self._per_call))
        for start in range(0, len(things), ROWS_MAX):
            some = things[start : start + ROWS_MAX]
            values: list[Value] = []
            for thing in some:
                for get in self._getters:  # A comprehension would be a call for each row.
                    values.append(get(thing))
                values += rest
            _insert(connection, head, row, values, len(some))

    def _check(self) -> None:
        """Assert that the table has all these columns, and that no column that it requires is missing."""
        known = {column.name for column in self._table.columns}
        needed = {
            column.name
            for column in self._table.columns
            if not column.nullable and column is not self._table.autoincrement_column
        }
        assert len(set(self._names)) == len(self._names), f"a column twice: {self._names}"
        unknown, missing = set(self._names) - known, needed - set(self._names)
        assert not unknown, f"table {self._table.name} has no column {', '.join(sorted(unknown))}"
        assert not missing, f"table {self._table.name} needs a value for {', '.join(sorted(missing))}"
        for value in self._constants.values():
            assert PLAIN.fullmatch(str(value)), f"{value!r} cannot be part of a statement"

    def _statement(self, dialect: Dialect) -> tuple[str, str]:
        """The text `INSERT INTO … VALUES ` and the `(…)` of one row, in this dialect."""
        quote = dialect.identifier_preparer.quote
        placeholder = "%s" if dialect.paramstyle == "format" else "?"
        row = [placeholder] * (len(self._getters) + len(self._per_call)) + [
            str(value) if isinstance(value, int) else f"'{value}'" for value in self._constants.values()
        ]
        head = f"INSERT INTO {quote(self._table.name)} ({', '.join(map(quote, self._names))}) VALUES "
        self._statements[dialect.name] = head, f"({', '.join(row)})"
        return self._statements[dialect.name]


def _insert(connection: Connection, head: str, row: str, values: Sequence[Value], rows: int) -> None:
    """Insert *rows* rows, split in halves if they may be too long for one statement."""
    if rows > 1 and _is_long(values):
        half = rows // 2
        middle = half * (len(values) // rows)
        _insert(connection, head, row, values[:middle], half)
        _insert(connection, head, row, values[middle:], rows - half)
    else:
        connection.exec_driver_sql(head + ", ".join([row] * rows), tuple(values))


def _is_long(values: Sequence[Value]) -> bool:
    """Whether *values* may take more than `BYTES_MAX` in a statement."""
    most = BYTES_MAX - VALUE_BYTES * len(values)
    # An upper bound that is quick to count, and nearly always enough.
    if CHARACTER_BYTES * sum([len(value) for value in values if type(value) is str]) <= most:
        return False
    texts = [value for value in values if isinstance(value, str)]
    return sum(len(text) * (ASCII_BYTES if text.isascii() else CHARACTER_BYTES) for text in texts) > most
