"""Column types that mean the same in MariaDB and SQLite, and the clock."""

from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    DateTime,
    Dialect,
    Integer,
    String,
)
from sqlalchemy.dialects.mysql import DATETIME, VARCHAR
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "pk": "pk_%(table_name)s",
}
Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The default clock: the current time, in UTC."""
    return datetime.now(UTC)


def exact_text(length: int) -> TypeEngine[str]:
    """The type of a text column that is compared byte by byte, for all text but prose.

    MariaDB's default collation treats `CATALOG-001`, `catalog-001 ` and `CÁTALOG-001` as one key.
    """
    return String(length).with_variant(
        VARCHAR(length, charset="utf8mb4", collation="utf8mb4_nopad_bin"), "mysql", "mariadb"
    )


def row_number() -> TypeEngine[int]:
    """The type of a 64-bit auto-increment key. SQLite increments only a plain INTEGER."""
    return BigInteger().with_variant(Integer(), "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: aware in Python, UTC with microseconds in the column."""

    impl = DateTime().with_variant(DATETIME(fsp=6), "mysql", "mariadb")
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | str | None:
        if value is None:
            return None
        return value.astimezone(UTC).replace(tzinfo=None) if dialect.name == "sqlite" else text_of(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """How a value is read. `process_result_value` would cost two calls more for each value."""
        read = self.impl_instance.dialect_impl(dialect).result_processor(dialect, coltype)
        return (lambda value: _in_utc(read(value))) if read else _in_utc


def _in_utc(value: datetime | None) -> datetime | None:
    # `results.py` returns aware times. Other connections of PyMySQL, and SQLite's, do not.
    return value if value is None or value.tzinfo else value.replace(tzinfo=UTC)


@lru_cache(maxsize=64)  # All rows of a batch have the same instant.
def text_of(instant: datetime) -> str:
    """Format *instant* as both databases read it. PyMySQL would format it again for each row."""
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


class database_now(FunctionElement[datetime]):
    """The current time plus *seconds* by the database's clock, the one clock that all processes share."""

    type = UtcDateTime()
    inherit_cache = False

    def __init__(self, seconds: float = 0) -> None:
        super().__init__()
        self.seconds = float(seconds)


@compiles(database_now, "mysql", "mariadb")
def _now_in_mariadb(element: database_now, compiler: SQLCompiler, **_: Any) -> str:
    return f"UTC_TIMESTAMP(6) + INTERVAL {element.seconds:.6f} SECOND"


@compiles(database_now, "sqlite")
def _now_in_sqlite(element: database_now, compiler: SQLCompiler, **_: Any) -> str:
    return f"strftime('%Y-%m-%d %H:%M:%f000', 'now', '{element.seconds:+.3f} seconds')"
