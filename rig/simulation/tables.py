"""The tables of a simulated database: their columns, keys and the locks of their rows."""

import sqlite3
from collections.abc import Iterator
from typing import Any

Key = tuple[Any, ...]  # Of a row: its table and its primary key. Of a lock: the table, an index, its values.
Row = tuple[Any, ...]


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
