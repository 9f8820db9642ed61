"""Tells tables that this service made from tables that others made under the same names."""

from sqlalchemy import Connection, Inspector, MetaData, String, Table, inspect

from orders_service import migrations
from orders_service.catalog.product import CatalogBase
from orders_service.events.tables import EventsBase
from orders_service.orders.order import OrdersBase
from orders_service.processes import DatabaseName

MODELS = {"orders": OrdersBase.metadata, "catalog": CatalogBase.metadata}
EXACT = "utf8mb4_nopad_bin"
# The names of our key columns end so since the first version.
KEYS = ("_id", "id", "key", "lane", "topic", "owner")


class NotOurs(Exception):
    """The database holds tables that this service did not make. The text says which, and what to do."""


def assert_ours(connection: Connection, database: DatabaseName) -> None:
    """Raise `NotOurs` for a database that this code's migrations cannot upgrade. Changes nothing.

    A first migration that was killed leaves our tables without a version. They are recognized by their
    columns, their collations and the names of their unique keys.
    """
    version = migrations.current(connection)
    if version is not None:
        if not migrations.knows(database, version):
            raise NotOurs(
                f"it is at version {version}, which this version of the service does not know."
                f" Deploy the newer version, or set {database.upper()}_DATABASE_URL to another database"
            )
        return
    inspector = inspect(connection)
    known: list[MetaData] = [MODELS[database], EventsBase.metadata]
    strangers = [
        f"`{table.name}` ({problem})"
        for metadata in known
        for table in metadata.sorted_tables
        if inspector.has_table(table.name) and (problem := _difference(inspector, table))
    ]
    if strangers:
        raise NotOurs(
            f"it contains tables of another service: {', '.join(strangers)}. Nothing was changed."
            f" Create another database, for example with CREATE DATABASE {database}_service,"
            f" and set {database.upper()}_DATABASE_URL to it"
        )


def _difference(inspector: Inspector, table: Table) -> str | None:
    """How *table* in the database differs from ours, or None if it does not."""
    columns = {column["name"]: column for column in inspector.get_columns(table.name)}
    if differing := columns.keys() ^ table.columns.keys():
        name = min(differing)
        return f"without a column {name}" if name in table.columns else f"with a column {name}"
    if inspector.dialect.name != "sqlite":
        for name, column in columns.items():
            text = isinstance(column["type"], String)
            if text and name.endswith(KEYS) and getattr(column["type"], "collation", None) != EXACT:
                return f"its column {name} does not have the collation {EXACT}"
    made = {unique["name"] for unique in inspector.get_unique_constraints(table.name)}
    ours = {constraint.name for constraint in table.constraints}
    if strange := sorted(str(name) for name in made - ours):
        return f"with a unique key {strange[0]}"
    return None
