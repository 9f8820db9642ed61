"""The process that confirms or rejects orders when the catalog has answered."""

from orders_service.events.consumer import Handler
from orders_service.orders.handlers import on_stock_answered
from orders_service.settings import Settings
from orders_service.workers.build import command


def handler(_: Settings) -> Handler:
    """The handler that applies the catalog's answers: step (8)."""
    return on_stock_answered


def discard_handler(_: Settings) -> Handler:
    """A handler that does nothing: an answer that is discarded leaves its order PENDING."""
    return lambda *_, **__: []


main = command("status-consumer")
