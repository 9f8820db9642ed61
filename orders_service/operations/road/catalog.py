"""The readings of the catalog database: its events, and whether the stock adds up."""

import time
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from orders_service.catalog.balance import balances
from orders_service.database.columns import utc_now
from orders_service.operations.road.event_tables import EventTables, EventTablesLook

PRODUCTS_MAX = 1000  # The balance of each is a sum of its reservations. With more, no sum is shown.
BALANCE_SECONDS = 10.0  # The sum of the stock is made at most so often,
BALANCE_SHARE = 20  # and takes at most a twentieth of the time.


class CatalogLook:
    """Reads the events of the catalog database."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._events = EventTablesLook()

    def read(self) -> EventTables:
        """The present state."""
        with self._engine.connect().execution_options(read_only=True) as connection:
            return self._events.read(connection)

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()


@dataclass(frozen=True)
class StockReading:
    """The sums over all products. *wrong* are products whose stock + Σ reserved is not Σ supplied."""

    stock: int
    reserved: int
    supplied: int
    products: int
    wrong: int
    at: datetime


class StockLook:
    """Adds up the stock, at most every `BALANCE_SECONDS`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._last: StockReading | None = None
        self._next_at = float("-inf")

    def read(self) -> StockReading | None:
        """The last sums; None if there are too many products."""
        began = time.monotonic()
        if began >= self._next_at:
            self._last = self._add_up()
            took = time.monotonic() - began
            self._next_at = time.monotonic() + max(BALANCE_SECONDS, BALANCE_SHARE * took)
        return self._last

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()

    def _add_up(self) -> StockReading | None:
        with Session(self._engine) as session:
            found = list(islice(balances(session), PRODUCTS_MAX + 1))
        if len(found) > PRODUCTS_MAX:
            return None
        return StockReading(
            stock=sum(each.stock for each in found),
            reserved=sum(each.reserved for each in found),
            supplied=sum(each.supplied for each in found),
            products=len(found),
            wrong=sum(each.surplus != 0 for each in found),
            at=utc_now(),
        )
