"""Rows and transactions on both databases, beneath all that knows of orders."""

from collections.abc import Iterator
from operator import itemgetter
from typing import Any

import pymysql
import pytest
from sqlalchemy import Connection, Engine, Integer, Text, event, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from orders_service.database.engines import open_engine
from orders_service.database.rows import ROWS_MAX, ManyRows
from orders_service.database.transactions import in_transaction
from rig.databases import Databases

NASTY = "it's a \\ and a \\' and \"\n\r\t\x00\x1a %s %(name)s ? :key ; -- `é😀` \\"


class Base(DeclarativeBase):
    """Tables of this test."""


class Thing(Base):
    """A row with a column whose name is one of SQL's own words."""

    __tablename__ = "things"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(Text)
    key: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer)


THINGS: ManyRows[tuple[int, str | None]] = ManyRows(
    Thing.__table__,
    {"key": itemgetter(1), "number": itemgetter(0)},  # Not in the table's order, which does not matter.
    same={"kind": "lamp", "version": 1},
)


@pytest.fixture(params=[False, True], ids=["plain", "one trip"])
def engine(databases: Databases, request: pytest.FixtureRequest) -> Iterator[Engine]:
    found = open_engine(databases.orders_url, pool_size=1, one_trip=request.param)
    Base.metadata.create_all(found)
    yield found
    found.dispose()


def things(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        query = select(Thing.number, Thing.kind, Thing.key, Thing.version).order_by(Thing.number)
        return [tuple(row) for row in connection.execute(query)]


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
        ManyRows(Thing.__table__, columns, same=same)


def test_shared_values_are_given_by_name(engine: Engine) -> None:
    rows: ManyRows[int] = ManyRows(
        Thing.__table__, {"number": int}, shared=("key", "version"), same={"kind": "lamp"}
    )

    with engine.begin() as connection:
        rows.write(connection, [1, 2], version=7, key="same")
        with pytest.raises(AssertionError, match="needed"):
            rows.write(connection, [3], version=7)

    assert things(engine) == [(1, "lamp", "same", 7), (2, "lamp", "same", 7)]


def test_what_a_failed_commit_leaves_open_is_rolled_back_before_the_next_attempt(engine: Engine) -> None:
    attempts: list[int] = []

    def work(connection: Connection) -> None:
        attempts.append(len(attempts))
        THINGS.write(connection, [(len(attempts), "key")])

    @event.listens_for(engine, "commit")
    def on_commit(connection: Connection) -> None:
        if len(attempts) == 1:
            connection.exec_driver_sql("SELECT 1")  # What is held has now been sent.
            raise IntegrityError("COMMIT", None, Exception("a twin was first"))

    with engine.connect() as connection:
        in_transaction(connection, work)

    assert things(engine) == [(2, "lamp", "key", 1)]
