"""MariaDB's plan of each statement, and the rows that it reads."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event

FEW = 100  # Rows that may be looked at without an index.

Plan = dict[str, Any]


@contextmanager
def explained() -> Iterator[list[tuple[str, Plan]]]:
    """The plan of each statement that reads, made in its own connection just before it runs."""
    found: list[tuple[str, Plan]] = []

    def explain(
        connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        if connection.dialect.name == "sqlite" or not statement.startswith(("SELECT", "UPDATE", "DELETE")):
            return
        with connection.connection.cursor() as own:
            own.execute(f"EXPLAIN {statement}", parameters[0] if executemany else parameters)
            names = [column[0] for column in own.description]
            found.extend((statement, dict(zip(names, row, strict=True))) for row in own.fetchall())

    event.listen(Engine, "before_cursor_execute", explain)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", explain)


def assert_indexed(plans: list[tuple[str, Plan]]) -> None:
    """No table is read from end to end, and none is sorted, but for a few rows."""
    assert plans, "no query was seen"
    for statement, plan in plans:
        badly = plan["type"] in ("ALL", "index") or "filesort" in (plan["Extra"] or "")
        assert not badly or int(plan["rows"] or 0) <= FEW, f"{statement}\n{plan}"


def is_in_the_index(plan: Plan) -> bool:
    """Whether no row is fetched."""
    return "Using index" in plan["Extra"].split("; ")


@contextmanager
def counted() -> Iterator[list[tuple[str, int]]]:
    """The rows and index entries that each SELECT reads on MariaDB, with its text."""
    found: list[tuple[str, int]] = []

    def read_so_far(connection: Any) -> int:
        with connection.connection.cursor() as own:
            own.execute("SHOW SESSION STATUS LIKE 'Handler_read_%'")
            counts = {name.removeprefix("Handler_read_"): int(value) for name, value in own.fetchall()}
        return sum(counts[name] for name in ("key", "next", "prev", "first", "last"))

    def before(connection: Any, _: Any, statement: str, *__: Any) -> None:
        if statement.startswith("SELECT"):
            connection.info["read"] = read_so_far(connection)

    def after(connection: Any, _: Any, statement: str, *__: Any) -> None:
        if statement.startswith("SELECT"):
            found.append((statement, read_so_far(connection) - connection.info["read"]))

    event.listen(Engine, "before_cursor_execute", before)
    event.listen(Engine, "after_cursor_execute", after)
    try:
        yield found
    finally:
        event.remove(Engine, "before_cursor_execute", before)
        event.remove(Engine, "after_cursor_execute", after)
