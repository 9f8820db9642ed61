"""Two databases for a test, and what must be true of them."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from orders_service import migrations, wiring
from orders_service.catalog.product import Product, Reservation, State, Supply
from orders_service.database import DatabaseName


@dataclass
class Databases:
    """Two migrated databases, with the course's three products."""

    orders_url: str
    catalog_url: str
    engines: dict[str, Engine] = field(default_factory=dict)

    @property
    def orders(self) -> Engine:
        return self.engines["orders"]

    @property
    def catalog(self) -> Engine:
        return self.engines["catalog"]

    @property
    def environment(self) -> dict[str, str]:
        return {"ORDERS_DATABASE_URL": self.orders_url, "CATALOG_DATABASE_URL": self.catalog_url}

    def open(self) -> None:
        """Have a new engine for each."""
        self.dispose()
        for name, url in self._urls.items():
            self.engines[name] = wiring.engine(url, pool_size=20)

    def migrate(self) -> None:
        """Open both and bring them to their newest version."""
        self.open()
        for name in self._urls:
            migrations.upgrade(self.engines[name], name)

    @property
    def _urls(self) -> dict[DatabaseName, str]:
        return {"orders": self.orders_url, "catalog": self.catalog_url}

    def dispose(self) -> None:
        """Close every connection."""
        for engine in self.engines.values():
            engine.dispose()


class Reused:
    """Two databases of MariaDB for one test after the other: to empty them is quicker than to make others."""

    def __init__(self, databases: Databases) -> None:
        self.databases = databases
        self._schemas = {name: _schema(engine) for name, engine in databases.engines.items()}
        self._opening = {name: _content(engine) for name, engine in databases.engines.items()}

    def renew(self) -> bool:
        """Have them as they were at first. False if a test has changed or still holds their tables."""
        try:
            for name, engine in self.databases.engines.items():
                if _schema(engine) != self._schemas[name]:
                    return False
                self._empty(engine, self._opening[name])
        except SQLAlchemyError:
            return False
        finally:
            self.databases.dispose()
        return True

    def _empty(self, engine: Engine, opening: dict[str, list[dict[str, Any]]]) -> None:
        with engine.begin() as connection:
            connection.exec_driver_sql("SET innodb_lock_wait_timeout = 1, lock_wait_timeout = 1")
            for table in opening:
                connection.exec_driver_sql(f"DELETE FROM {table}")
                connection.exec_driver_sql(f"ALTER TABLE {table} AUTO_INCREMENT = 1")
            for table, rows in opening.items():
                for row in rows:
                    marks = ", ".join(f"%({column})s" for column in row)
                    connection.exec_driver_sql(
                        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", row
                    )
        engine.dispose()


def _schema(engine: Engine) -> set[tuple[Any, ...]]:
    """What the tables and their indexes are."""
    columns = "SELECT table_name, column_name, column_type, is_nullable FROM information_schema.columns"
    indexes = "SELECT table_name, index_name, column_name, seq_in_index FROM information_schema.statistics"
    with engine.connect() as connection:
        return {
            tuple(row)
            for query in (columns, indexes)
            for row in connection.exec_driver_sql(f"{query} WHERE table_schema = DATABASE()")
        }


def _content(engine: Engine) -> dict[str, list[dict[str, Any]]]:
    """The rows of each table that tests fill."""
    with engine.connect() as connection:
        tables = [table for (table,) in connection.exec_driver_sql("SHOW TABLES")]
        return {
            table: [dict(row) for row in connection.exec_driver_sql(f"SELECT * FROM {table}").mappings()]
            for table in tables
            if table != "alembic_version"
        }


def assert_stock_adds_up(catalog: Session) -> None:
    """Per product: stock is not negative, and stock + Σ reserved = Σ supplied."""
    for product in catalog.scalars(select(Product)):
        reserved = catalog.scalar(
            select(func.coalesce(func.sum(Reservation.qty), 0)).where(
                Reservation.product_id == product.product_id, Reservation.state == State.RESERVED
            )
        )
        supplied = catalog.scalar(select(func.sum(Supply.qty)).where(Supply.product_id == product.product_id))
        assert product.stock >= 0, product.product_id
        assert product.stock + int(reserved or 0) == supplied, product.product_id
