"""Many rows in few statements on both databases, beneath all that knows of orders."""

from operator import itemgetter
from typing import Any

import pymysql
import pytest
from sqlalchemy import Engine

from orders_service.database.rows import ROWS_MAX, RowWriter
from tests.database.things import THINGS, Thing, things

NASTY = "it's a \\ and a \\' and \"\n\r\t\x00\x1a %s %(name)s ? :key ; -- `é😀` \\"


def test_many_rows_are_written_as_they_are(engine: Engine) -> None:
    rows = [(number, None if number % 3 else f"{number} {NASTY}") for number in range(2 * ROWS_MAX + 1)]

    with engine.begin() as connection:
        THINGS.write(connection, rows)

    assert things(engine) == [(number, "lamp", key, 1) for number, key in rows]


@pytest.mark.parametrize("text", ["x" * 4000, "\\" * 2000, "é\\" * 600, "😀\\" * 500], ids=ascii)
def test_long_rows_are_written_in_several_statements(
    engine: Engine, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    longest = [0]
    query = pymysql.Connection.query

    def measured(self: Any, sql: Any, unbuffered: bool = False) -> int:
        longest.append(len(sql))
        return query(self, sql, unbuffered)

    monkeypatch.setattr(pymysql.Connection, "query", measured)
    rows = [(number, text) for number in range(ROWS_MAX)]

    with engine.begin() as connection:
        THINGS.write(connection, rows)

    assert things(engine) == [(number, "lamp", key, 1) for number, key in rows]
    assert max(longest) < 2**20  # The least `max_allowed_packet` that is supported.


def test_a_row_that_is_long_by_itself_is_one_statement(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orders_service.database.rows.BYTES_MAX", 1000)
    rows = [(number, "x" * 1000) for number in range(3)]

    with engine.begin() as connection:
        THINGS.write(connection, rows)

    assert [len(str(key)) for _, _, key, _ in things(engine)] == [1000] * 3


def test_no_rows_are_no_statement(engine: Engine) -> None:
    with engine.begin() as connection:
        THINGS.write(connection, [])

    assert things(engine) == []


@pytest.mark.parametrize(
    ("columns", "same"),
    [
        ({"number": itemgetter(0)}, {"kind": "lamp"}),  # Without a version.
        ({"number": itemgetter(0), "colour": itemgetter(1)}, {"kind": "lamp", "version": 1}),
        ({"number": itemgetter(0), "kind": itemgetter(1)}, {"kind": "lamp", "version": 1}),
        ({"number": itemgetter(0)}, {"kind": "it's", "version": 1}),
    ],
)
def test_columns_that_do_not_fit_the_table_are_refused_at_once(
    columns: dict[str, Any], same: dict[str, Any]
) -> None:
    with pytest.raises(AssertionError):
        RowWriter(Thing.__table__, columns, constants=same)


def test_shared_values_are_given_by_name(engine: Engine) -> None:
    rows: RowWriter[int] = RowWriter(
        Thing.__table__, {"number": int}, per_call=("key", "version"), constants={"kind": "lamp"}
    )

    with engine.begin() as connection:
        rows.write(connection, [1, 2], version=7, key="same")
        with pytest.raises(AssertionError, match="needed"):
            rows.write(connection, [3], version=7)

    assert things(engine) == [(1, "lamp", "same", 7), (2, "lamp", "same", 7)]
