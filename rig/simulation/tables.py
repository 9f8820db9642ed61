"""The tables of a simulated database: their columns, keys and the locks of their rows."""

import re
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

Key = tuple[Any, ...]  # Of a row: its table and its primary key. Of a lock: the table, an index, its values.
Row = tuple[Any, ...]
BY_KEY = re.compile(
    r"(\w+)\.(\w+) (?:=|IN) (\?|\([?, ]+\))"
)  # `table.column = ?` or `table.column IN (?, ?)`.


class Table:
    """The columns of a table and its unique keys, as positions in a row. The first key is the primary key."""

    def __init__(self, sqlite: sqlite3.Connection, name: str) -> None:
        info = sqlite.execute(f"PRAGMA table_info({name})").fetchall()
        self.name = name
        self.columns = [column[1] for column in info]
        primary = [column[0] for column in sorted(info, key=lambda column: column[5]) if column[5]]
        is_number = [info[n][2] for n in primary] == ["INTEGER"]
        self.numbers = self.columns[primary[0]] if is_number else None  # The column that counts the rows.
        self.keys = [primary]
        for _, index, unique, *_ in sqlite.execute(f"PRAGMA index_list({name})").fetchall():
            places = [place for _, place, _ in sqlite.execute(f"PRAGMA index_info({index})").fetchall()]
            if unique and places not in self.keys:
                self.keys.append(places)
        self._places: dict[str, Sequence[tuple[int, int, int]]] = {}  # See `_by_key`.
        marks = ", ".join("?" * len(self.columns))
        self.write = f"INSERT OR REPLACE INTO {name} VALUES ({marks})"
        self.erase = f"DELETE FROM {name} WHERE {' AND '.join(f'{self.columns[n]} = ?' for n in primary)}"

    def row_key(self, row: Row) -> Key:
        """The table's name and the row's primary key."""
        return (self.name, *(row[n] for n in self.keys[0]))

    def locks(self, row: Row) -> Iterator[Key]:
        """What a session locks that writes *row*: the entry of each unique index."""
        for number, places in enumerate(self.keys):
            yield (self.name, number, *(row[n] for n in places))

    def looked_up(self, sql: str, values: Sequence[Any]) -> Iterator[Key]:
        """The entries of unique indexes by which a statement finds its rows, whether they exist or not."""
        for number, first, count in self._by_key(sql):
            yield from ((self.name, number, value) for value in values[first : first + count])

    def _by_key(self, sql: str) -> Sequence[tuple[int, int, int]]:
        """For each unique key in the condition: its number, the place of its first value, and how many."""
        if sql not in self._places:
            condition = sql.find("WHERE")
            self._places[sql] = [
                (self.keys.index(place), sql.count("?", 0, found.start()), found[3].count("?"))
                for found in BY_KEY.finditer(sql, condition if condition >= 0 else len(sql))
                if found[1] == self.name and (place := [self.columns.index(found[2])]) in self.keys
            ]
        return self._places[sql]
