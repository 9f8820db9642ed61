"""One look at everything: the last reading of each source, or the sentence why there is none."""

from dataclasses import dataclass

from orders_service.operations.road.catalog import StockReading
from orders_service.operations.road.event_tables import EventTables
from orders_service.operations.road.log import LogReading
from orders_service.operations.road.orders import OrdersReading
from orders_service.settings import Settings

ORDERS_DOWN = "The orders database does not answer."
CATALOG_DOWN = "The catalog database does not answer."


@dataclass(frozen=True)
class Readings:
    """The readings of one moment. A source that did not answer is None; *log_problem* says why."""

    orders: OrdersReading | None
    catalog: EventTables | None
    stock: StockReading | None
    log: LogReading | None
    log_problem: str = ""


def broker_name(settings: Settings) -> str:
    """The broker's name in sentences."""
    return "Kafka" if settings.broker == "kafka" else "The embedded log"
