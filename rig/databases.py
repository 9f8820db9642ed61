"""The two databases of the service, migrated."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from uuid import uuid4

from sqlalchemy import Engine

from lab import Lab
from lab.database_server import DatabaseServer
from orders_service.database.engines import open_engine
from orders_service.processes import DatabaseName
from rig import migrated


@dataclass
class Databases:
    """The URLs of the orders' database and the catalog's, and an engine for each."""

    orders_url: str
    catalog_url: str
    engines: dict[str, Engine] = field(default_factory=dict)

    @classmethod
    def on(cls, server: DatabaseServer, name: object) -> "Databases":
        """Two new databases on a MariaDB. They are not migrated yet."""
        return cls(server.create_database(f"orders_{name}"), server.create_database(f"catalog_{name}"))

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
        """Open both and migrate them to the newest version. The catalog then has the course's products."""
        urls: dict[DatabaseName, str] = {"orders": self.orders_url, "catalog": self.catalog_url}
        for name, url in urls.items():
            self.engines[name] = open_engine(url, pool_size=20, create=True)
            migrated.migrate(self.engines[name], name)

    def dispose(self) -> None:
        """Close every connection."""
        for engine in self.engines.values():
            engine.dispose()


@contextmanager
def databases_in(lab: Lab) -> Iterator[Databases]:
    """Two new databases on the lab's MariaDB, migrated."""
    found = Databases.on(lab.mariadb, uuid4().hex[:8])
    found.migrate()
    try:
        yield found
    finally:
        found.dispose()
