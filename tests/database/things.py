"""A table for the tests of rows and transactions, and how its rows are written."""

from operator import itemgetter

from sqlalchemy import Engine, Integer, Text, select
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from orders_service.database.rows import RowWriter


class Base(DeclarativeBase):
    """Tables of this test."""


class Thing(Base):
    """A row with a column whose name is one of SQL's own words."""

    __tablename__ = "things"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(Text)
    key: Mapped[str | None] = mapped_column(Text)
    version: Mapped[int] = mapped_column(Integer)


THINGS: RowWriter[tuple[int, str | None]] = RowWriter(
    Thing.__table__,
    {"key": itemgetter(1), "number": itemgetter(0)},  # Not in the table's order, which does not matter.
    constants={"kind": "lamp", "version": 1},
)


def things(engine: Engine) -> list[tuple[object, ...]]:
    with engine.connect() as connection:
        query = select(Thing.number, Thing.kind, Thing.key, Thing.version).order_by(Thing.number)
        return [tuple(row) for row in connection.execute(query)]
