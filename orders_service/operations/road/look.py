"""Looks at the databases and the broker, each on connections of its own."""

import threading
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from orders_service.database.engines import open_engine
from orders_service.database.errors import in_short
from orders_service.events.brokers.port import BrokerError
from orders_service.operations.road.catalog import CatalogLook, StockLook
from orders_service.operations.road.log import LogLook
from orders_service.operations.road.orders import OrdersLook
from orders_service.printable import safe
from orders_service.settings import Settings

READ_SECONDS = 5  # For one statement.
FAILURES = (SQLAlchemyError, BrokerError, OSError)

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
log = structlog.get_logger()


@dataclass(frozen=True)
class Outcome(Generic[T]):
    """The finding of a look; or None, and a sentence why. *is_late*: it may still find something."""

    found: T | None
    problem: str = ""
    is_late: bool = False


class Source(Protocol[T_co]):
    """A database or a broker, with its connection."""

    def read(self) -> T_co:
        """Its present state."""

    def close(self) -> None:
        """Close the connection."""


class Look(Generic[T]):
    """Looks at a source, in one thread at a time. The first failure in a row is logged."""

    def __init__(self, name: str, source: Source[T]) -> None:
        self._name = name
        self._source = source
        self._mutex = threading.Lock()
        self._is_looking = self._is_closed = self._is_failing = False

    def read(self) -> Outcome[T]:
        """The reading of the source; each failure is an outcome."""
        with self._mutex:
            if self._is_closed:
                return Outcome(None, "It is closed.")
            self._is_looking = True
        try:
            return self._read()
        finally:
            with self._mutex:
                self._is_looking = False
                is_closed = self._is_closed
            if is_closed:
                self._source.close()

    def close(self) -> None:
        """Close the source: now, or in the thread that looks, at the end of its look, which may hang."""
        with self._mutex:
            is_mine = not (self._is_closed or self._is_looking)
            self._is_closed = True
        if is_mine:
            self._source.close()

    def _read(self) -> Outcome[T]:
        try:
            found = self._source.read()
        except FAILURES as error:
            text = safe(in_short(error) if isinstance(error, SQLAlchemyError) else str(error))
            if not self._is_failing:
                log.warning("cannot read for the road; trying again", source=self._name, error=text)
            self._is_failing = True
            return Outcome(None, sentence(text))
        self._is_failing = False
        return Outcome(found)


class Looks:
    """The four looks. Each may be used by another thread, and fails without the others."""

    def __init__(self, settings: Settings) -> None:
        orders, catalog = settings.orders_database_url, settings.catalog_database_url
        self.orders = Look("orders", OrdersLook(_engine(orders)))
        self.catalog = Look("catalog", CatalogLook(_engine(catalog)))
        self.stock = Look("stock", StockLook(_engine(catalog)))
        self.log = Look("broker", LogLook(settings))

    def close(self) -> None:
        """Close all connections."""
        self.orders.close()
        self.catalog.close()
        self.stock.close()
        self.log.close()


def _engine(url: str) -> Engine:
    return open_engine(url, pool_size=1, read_seconds=READ_SECONDS, one_trip=True, autocommit=True)


def sentence(text: str) -> str:
    """An error text as a sentence."""
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."
