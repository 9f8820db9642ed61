"""The process that reserves stock for placed orders and releases it for cancelled ones."""

from functools import partial

from orders_service import resources
from orders_service.catalog.handlers import on_order_discarded, on_order_events
from orders_service.events.consumer import Handler
from orders_service.settings import Settings
from orders_service.workers.build import command


def handler(settings: Settings) -> Handler:
    """The handler that applies the orders' events: step (7)."""
    outbox = resources.outbox(settings, "catalog")
    return partial(on_order_events, outbox=outbox, check_price=settings.catalog_check_price)


def discard_handler(settings: Settings) -> Handler:
    """The handler that rejects placed orders whose events an operator discards."""
    return partial(on_order_discarded, outbox=resources.outbox(settings, "catalog"))


main = command("stock-consumer")
