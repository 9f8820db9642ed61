"""The connectors, topics, groups and tables that the practice creates, and their removal."""

from collections.abc import Collection, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields

from ..terminal import Terminal
from .connectors import ORDER_SINK, SINK, SOURCE, forget

TABLES = ("mydb.users", "mydb.orders", "mydb.my_topic_users")
SERVICES = ("orders", "catalog")  # The service's databases.


@dataclass(frozen=True)
class Things:
    """The names of connectors, topics, consumer groups and tables on the lab."""

    connectors: frozenset[str] = frozenset()
    topics: frozenset[str] = frozenset()
    groups: frozenset[str] = frozenset()
    tables: frozenset[str] = frozenset()

    def __and__(self, other: "Things") -> "Things":
        return Things(*(getattr(self, one.name) & getattr(other, one.name) for one in fields(self)))

    def __or__(self, other: "Things") -> "Things":
        return Things(*(getattr(self, one.name) | getattr(other, one.name) for one in fields(self)))

    def __bool__(self) -> bool:
        return any(getattr(self, one.name) for one in fields(self))

    def __str__(self) -> str:
        """One line for a person."""
        several = {one.name: sorted(getattr(self, one.name)) for one in fields(self)}
        told = [
            f"{kind if len(names) > 1 else kind[:-1]} {', '.join(names)}"
            for kind, names in several.items()
            if names
        ]
        return "; ".join(told)


def _of(connector: str = "", topics: Iterable[str] = (), tables: Iterable[str] = ()) -> Things:
    groups = {f"connect-{connector}"} if "sink" in connector else set()
    connectors = {connector} if connector else set()
    return Things(frozenset(connectors), frozenset(topics), frozenset(groups), frozenset(tables))


CAPTURED = _of(
    SOURCE, ("my_topic_users", "schemahistory.my_topic", "__debezium-heartbeat.my_topic"), ("mydb.users",)
)
COPIED = _of(SINK, ("my_topic_users",), ("mydb.my_topic_users",))
LANDED = _of(ORDER_SINK, ("orders", "orders.dlq"), ("mydb.orders",))
# What each step creates, or creates anew. Steps 7 and 9 also use the service's own topics and tables. Those
# are in SERVICE, which is removed only if none of it existed before.
MADE = {
    1: _of(topics=("quickstart-events",)),
    2: CAPTURED | COPIED | _of(tables=TABLES),
    3: CAPTURED | COPIED | _of(ORDER_SINK),
    4: CAPTURED | COPIED,
    5: COPIED,
    6: _of(topics=("my_topic_users",)),
    9: LANDED,
}
SERVICE = Things(
    topics=frozenset({"example-catalog-topic", "example-stock-topic"}),
    groups=frozenset({"catalog-stock", "orders-status"}),
    tables=frozenset({"orders.orders", "catalog.catalog"}),
)
USES_SERVICE = frozenset({7, 9})
# These steps create all tables of mydb that are missing, those of other steps among them.
MAKES_TABLES = frozenset({2, 4, 9})


def made_by(steps: Collection[int]) -> Things:
    """Everything that these steps create."""
    found = Things()
    for step in steps:
        found |= MADE.get(step, Things())
    return found


def on_the_lab(terminal: Terminal) -> Things:
    """All connectors, topics, consumer groups and tables that exist now."""
    with ThreadPoolExecutor() as pool:
        topics = pool.submit(terminal.tool, "kafka-topics", "--list", quiet=True)
        groups = pool.submit(terminal.tool, "kafka-consumer-groups", "--list", quiet=True)
        rows = terminal.rows("SELECT CONCAT(table_schema, '.', table_name) FROM information_schema.tables")
        connectors = terminal.http("GET", f"{terminal.connect}/connectors", quiet=True)
        return Things(
            frozenset(connectors),
            frozenset(topics.result().split()),
            frozenset(groups.result().split()),
            frozenset(row[0] for row in rows),
        )


def remove(terminal: Terminal, made: Things, before: Things) -> None:
    """Delete connectors with their offsets, then topics, tables and consumer groups."""
    now = on_the_lab(terminal)
    left = now & made
    forget(terminal, *sorted(left.connectors))
    if left.topics:
        pattern = "|".join(sorted(left.topics)).replace(".", "[.]")
        terminal.tool("kafka-topics", "--delete", "--topic", pattern)
    if statements := _without(terminal, left.tables):
        terminal.sql("; ".join(statements))
    # A console consumer without --group creates a group. The group of a deleted sink is already gone.
    consoles = {name for name in now.groups - before.groups if name.startswith("console-consumer-")}
    if groups := left.groups - {f"connect-{name}" for name in left.connectors} | consoles:
        named = [word for group in sorted(groups) for word in ("--group", group)]
        terminal.tool("kafka-consumer-groups", "--delete", *named)


def _without(terminal: Terminal, left: Collection[str]) -> list[str]:
    """The SQL that drops the tables, and mydb if it holds no others. Accounts and rights are kept."""
    services = {table.partition(".")[0] for table in left} & set(SERVICES)
    statements = [f"DROP DATABASE {name}; CREATE DATABASE {name}" for name in sorted(services)]
    tables = sorted(table for table in left if table.startswith("mydb."))
    if tables and _others(terminal, tables):
        return [*statements, f"DROP TABLE {', '.join(tables)}"]
    return [*statements, "DROP DATABASE mydb"] if tables else statements


def _others(terminal: Terminal, tables: Collection[str]) -> bool:
    """Whether mydb holds tables other than those in *tables*."""
    found = terminal.rows("SELECT table_name FROM information_schema.tables WHERE table_schema = 'mydb'")
    return any(f"mydb.{name}" not in tables for (name,) in found)
