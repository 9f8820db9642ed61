"""Two databases for a test, and what must be true of them."""

from dataclasses import dataclass, field

from flask import Flask
from sqlalchemy import Engine, func, select
from sqlalchemy.orm import Session

from orders_service import migrations
from orders_service.api.database import db
from orders_service.catalog.product import Product, Reservation, State, Supply
from orders_service.database.engines import open_engine
from orders_service.processes import DatabaseName
from tests.patience import await_true


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

    def migrate(self) -> None:
        """Open both and bring them to their newest version."""
        urls: dict[DatabaseName, str] = {"orders": self.orders_url, "catalog": self.catalog_url}
        for name, url in urls.items():
            self.engines[name] = open_engine(url, pool_size=20, create=True)
            migrations.upgrade(self.engines[name], name)

    def dispose(self) -> None:
        """Close every connection."""
        for engine in self.engines.values():
            engine.dispose()


def close_engines(app: Flask) -> None:
    """Close every connection of an application.

    A connection to a file that is opened or given back later would stay open, so those are awaited.
    """
    readiness, metrics = app.extensions["readiness"], app.extensions["metrics"]
    of_files = [name for name, engine in readiness.engines.items() if engine.dialect.name == "sqlite"]
    asked = [readiness._questions[f"{name}Database"] for name in of_files]
    if len(of_files) == len(readiness.engines):
        asked.append(metrics)
    await_true(lambda: all(question._answered is None for question in asked), "every question is answered")
    with app.app_context():
        engines = [*db.engines.values(), *readiness.engines.values()]
    pools = [engine.pool for engine in engines if engine.dialect.name == "sqlite"]
    await_true(lambda: not any(pool.checkedout() for pool in pools), "every connection is given back")
    for engine in engines:
        engine.dispose()


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
